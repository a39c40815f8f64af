"""Any recipe at the size of the demo: small networks from scratch on procedural scenes, in minutes.

What a method does beside others is seen here, not what it is worth on LoveDA.
"""

import re
from dataclasses import replace
from typing import Any

from rdepth_keras import adapt
from rdepth_keras.adapt import DAFormer, Method
from rdepth_keras.data.transforms import RandomRotation
from rdepth_keras.experiment import Augmentation, Experiment, Optimizers
from rdepth_keras.infer import Inference
from rdepth_keras.models import Architecture
from rdepth_keras.optimizers import Adam, Schedule
from rdepth_keras.recipes.demo import demo

AS_IT_IS = Augmentation(crop_redraws=0, rotation=RandomRotation(probability=0.0))
CRITIC = Adam(1e-3, Schedule(0.1))
NARROWER = 4  # widths of critics
# There are no pretrained features to keep, the last map of a small crop is a few places, and in
# some hundred steps no network is sure of anything at 0.9, and a teacher of a decay of 0.99 is what
# the network began as.
TEACHER = {"decay": 0.95, "confidence": 0.7}
FROM_SCRATCH: dict[type[Method], dict[str, Any]] = {
    DAFormer: {"feature_weight": 0.0, "feature_classes": (), **TEACHER},
    adapt.IAST: {"threshold": TEACHER["confidence"]},
    adapt.STDASegNet: {"widths": (16,), "halvings": 0, **TEACHER},
}
# MiT's last map is a 32nd of the crop, 2 x 2 of 64, of which each convolution takes one away.
ON_FEW_PLACES = {"st_dasegnet_segformer": {"widths": ()}}


def small(experiment: Experiment) -> Experiment:
    """The recipe with the smallest encoders of its families and the demo's data and training.

    Kept are the method with its weights and thresholds, but for :data:`FROM_SCRATCH` and
    :data:`ON_FEW_PLACES`, the network's kind, and which images of the target are seen. The
    optimizer is the demo's: the recipes' rates are for pretrained networks. Where a recipe sees the
    target otherwise than the source, since it labels what it sees, the target is not turned, and
    keeps its colours.
    """
    base = demo(experiment.data.direction)
    method, sampling = experiment.method, experiment.training.sampling
    training = replace(
        base.training,
        # Windows as large as the crops: in larger ones the outer taps of dilated kernels, which
        # saw padding alone in training, see the picture, and DAFormer's decoder falls apart.
        inference=Inference(window_pixels=base.training.crop),
        sampling=replace(base.training.sampling, target_split=sampling.target_split),
        target_augmentation=experiment.training.target_augmentation and AS_IT_IS,
    )
    critic = CRITIC if experiment.optimizers.critic else None
    changes = narrow(method) | FROM_SCRATCH.get(type(method), {})
    changes |= ON_FEW_PLACES.get(experiment.recipe, {})
    return Experiment(
        f"demo_{experiment.recipe}",
        data=base.data,
        network=shrink(experiment.network),
        method=replace(method, **changes),
        optimizers=Optimizers(base.optimizers.segmenter, critic),
        training=training,
        resources=base.resources,
    )


def narrow(method: Method) -> dict[str, Any]:
    """The widths of the method's critics, where it has some, divided by :data:`NARROWER`."""
    widths = getattr(method, "widths", ())
    return {"widths": tuple(width // NARROWER for width in widths)} if widths else {}


def shrink(network: Architecture) -> Architecture:
    """The same kind of network with 64 channels, no stochastic depth and small encoders."""
    sizes: dict[str, Any] = {"channels": 64, "drop_path": 0.0}
    if getattr(network, "auxiliary_channels", None):
        sizes["auxiliary_channels"] = 64
    encoders = {name: smallest(encoder) for name, encoder in network.encoders.items()}
    return replace(network, **encoders, **sizes)


def smallest(encoder: str) -> str:
    """The smallest encoder of a family: speck, mit_b0, or a narrow ResNet-14 of the same kind."""
    if encoder.startswith("mit_"):
        return "mit_b0"
    if "resnet" in encoder:
        return re.sub(r"resnet\d+", "resnet14", encoder) + "_narrow"
    return "speck"
