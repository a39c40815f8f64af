"""Build a small network under the Keras backend of the environment, run it and save the logits.

``KERAS_BACKEND=torch python run_backend.py OUT.npy``: see test_backends.py.
"""

import sys

import keras
import numpy as np

from rdepth_keras import models

SIZES = {
    "image_encoder": {"depths": (1, 2, 1, 1), "widths": (8, 12, 16, 20)},
    "depth_encoder": {"depths": (1, 1, 1, 1), "widths": (4, 6, 8, 10)},
    "channels": 8,
    "auxiliary_channels": 8,
}


def compute_logits(fusion):
    """Full-size logits of a network whose random weights are the same under every backend."""
    keras.utils.set_random_seed(5)
    model = models.build("twin", fusion=fusion, **SIZES)
    generator = np.random.default_rng(0)
    inputs = {
        "image": generator.integers(0, 256, (2, 47, 61, 3), np.uint8),
        "depth": generator.uniform(size=(2, 47, 61, 1)).astype(np.float32),
    }
    return np.asarray(model.predict(inputs, verbose=0))


if __name__ == "__main__":
    np.save(sys.argv[1], np.stack([compute_logits(fusion) for fusion in ("concat", "add")]))
