"""The experiment's network."""

from dataclasses import asdict

import jax
import keras

from rdepth_keras import models
from rdepth_keras.experiment import Experiment
from rdepth_keras.network import Network
from rdepth_keras.run.dataset import class_table
from rdepth_keras.train.devices import compute_dtype


def training_network(experiment: Experiment) -> Network:
    """With all outputs, from the experiment's weights, or random ones of its seed."""
    weights, accumulate = _weights(experiment), experiment.accumulate
    return Network(_build(experiment, taps=True, weights=weights, accumulate=accumulate))


def inference_network(experiment: Experiment) -> Network:
    """With full-size logits; its variables are to be given."""
    return Network(_build(experiment, taps=False, weights=None))


def _weights(experiment: Experiment):
    weights = None if experiment.weights == "none" else experiment.weights
    if experiment.depth_weights is None:
        return weights
    depth = None if experiment.depth_weights == "none" else experiment.depth_weights
    return {"image_encoder": weights, "depth_encoder": depth}


def _build(experiment: Experiment, **options) -> keras.Model:
    keras.utils.set_random_seed(experiment.seed)
    arguments = asdict(experiment.segmenter)
    dtype = compute_dtype(experiment.precision)
    classes = len(class_table(experiment))
    # Keras keeps a copy of its own of every variable: on the host, not in the GPU's memory.
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        return models.build("twin", classes=classes, dtype=dtype, **options, **arguments)
