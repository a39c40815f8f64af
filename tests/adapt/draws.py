"""Weights and batches of the toy problems that are trained by this package and by PyTorch.

NumPy alone, since one of the programs has no JAX and the other no PyTorch.
"""

import numpy as np


def draw_weights(shapes, seed):
    """Path -> float32 values for path -> shape, variable after variable in the order of paths."""
    rng, drawn = np.random.default_rng(seed), {}
    for path in sorted(shapes):
        values = rng.standard_normal(shapes[path])
        if path.endswith("kernel"):
            values *= 2 / np.prod(shapes[path][:-1]) ** 0.5
        elif path.endswith("variance"):
            values = 0.5 + np.abs(values)
        else:
            values = 0.2 * values + path.endswith("gamma")
        drawn[path] = values.astype(np.float32)
    return drawn


def draw_batch(seed, count, size, classes):
    """Images uint8 (count, size, size, 3) and labels (count, size, size), some of them ignored."""
    rng = np.random.default_rng(100 + seed)
    label = rng.integers(0, classes, (count, 4, 4)).repeat(size // 4, 1).repeat(size // 4, 2)
    image = label[..., None] * (40, 10, 25) + rng.integers(0, 60, (count, size, size, 3))
    label[:, :3] = 255
    return {"image": image.astype(np.uint8), "label": label.astype(np.uint8)}
