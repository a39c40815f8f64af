"""Random weights and inputs that both sides of a comparison make for themselves.

Goldens store names and shapes, not numbers: these come from the name by NumPy's frozen generator.
"""

import json
import zlib

import numpy as np


def draw_weights(shapes, seed=0):
    """PyTorch names -> shapes, to names -> arrays; sizes such that activations stay near 1."""
    skipped = "num_batches_tracked"
    return {
        name: draw_weight(name, tuple(shape), seed)
        for name, shape in shapes.items()
        if not name.endswith(skipped)
    }


def draw_weight(name, shape, seed=0):
    numbers = draw(name, shape, seed)
    if len(shape) > 1:
        return numbers / np.float32(np.prod(shape[1:]) ** 0.5)
    if name.endswith("running_var"):
        return np.exp(0.3 * numbers)
    if name.endswith(("bias", "running_mean")):
        return np.float32(0.1) * numbers
    return 1 + np.float32(0.1) * numbers


def draw(name, shape, seed=0):
    """Normal numbers that only name and seed decide."""
    generator = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    return generator.standard_normal(shape).astype(np.float32)


def draw_image(name, shape):
    """RGB 0..255, whole numbers, (B, H, W, 3) for a shape (B, H, W)."""
    generator = np.random.RandomState(zlib.crc32(name.encode()))
    return generator.randint(0, 256, (*shape, 3)).astype(np.uint8)


def draw_label(name, shape, classes=7):
    """Train ids 0..classes - 1, and 255 on about one pixel in ten."""
    generator = np.random.RandomState(zlib.crc32(name.encode()))
    label = generator.randint(0, classes, shape)
    return np.where(generator.rand(*shape) < 0.1, 255, label).astype(np.uint8)


def pack_shapes(shapes):
    """Names and shapes as an array for a golden file."""
    text = json.dumps({name: list(shape) for name, shape in shapes.items()})
    return np.frombuffer(text.encode(), np.uint8)


def unpack_shapes(array):
    return json.loads(array.tobytes())
