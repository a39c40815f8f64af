"""Build small networks under the Keras backend of the environment, run them and save the logits.

``KERAS_BACKEND=torch python run_backend.py OUT.npz``: see test_backends.py.
"""

import sys
from functools import partial

import keras
import numpy as np

from rdepth_keras import models
from rdepth_keras.models.encoders.mit import MiT
from rdepth_keras.models.encoders.resnet import ResNet

TWIN = {
    "name": "twin",
    "image_encoder": {"depths": (1, 2, 1, 1), "widths": (8, 12, 16, 20)},
    "depth_encoder": {"depths": (1, 1, 1, 1), "widths": (4, 6, 8, 10)},
}
MIT = partial(MiT, (1, 1, 1, 1), (8, 16, 20, 32))
RESNET = partial(ResNet, (1, 1, 1, 1), width=8, deep_stem=True, output_stride=8)
NETWORKS = {
    **{fusion: {**TWIN, "fusion": fusion} for fusion in models.FUSIONS},
    "segformer": {"name": "segformer_b0", "image_encoder": MIT},
    "deeplabv3": {"name": "deeplabv3", "image_encoder": RESNET},
}


def compute_logits(network):
    """Full-size logits of a network whose random weights are the same under every backend."""
    keras.utils.set_random_seed(5)
    model = models.build(**NETWORKS[network], channels=8)
    for variable in model.variables:
        if variable.path.endswith("scale/gamma"):
            variable.assign(variable + 0.5)  # opens gated fusions, which start closed
    generator = np.random.default_rng(0)
    inputs = {
        "image": generator.integers(0, 256, (2, 47, 61, 3), np.uint8),
        "depth": generator.uniform(size=(2, 47, 61, 1)).astype(np.float32),
    }
    inputs = {name: inputs[name] for name in model.input}
    return np.asarray(model.predict(inputs, verbose=0))


if __name__ == "__main__":
    np.savez(sys.argv[1], **{network: compute_logits(network) for network in NETWORKS})
