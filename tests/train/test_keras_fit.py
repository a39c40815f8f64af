"""`model.fit` with a Keras optimizer takes the engine's first steps."""

import keras
import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.adapt import SEGMENTER, SourceOnly
from rdepth_keras.losses import compiled_cross_entropy
from rdepth_keras.models.metrics import MeanIoU
from rdepth_keras.models.network import Network
from rdepth_keras.train.optimizers import SGD, AdamW, Schedule
from rdepth_keras.train.state import initial_state
from rdepth_keras.train.step import training_step

SMALL = {"depths": (1, 1, 1, 1), "widths": (8, 8, 8, 8)}
STEPS = 3
CONSTANT = Schedule(0.0, power=0.0)


def build(taps):
    keras.utils.set_random_seed(3)
    sizes = {"channels": 8, "auxiliary_channels": None, "drop_path": 0.0, "dropout": 0.0}
    return models.build("twin", image_encoder=SMALL, depth_encoder=SMALL, taps=taps, **sizes)


def example():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 7, (STEPS, 2, 32, 32)).astype(np.uint8)
    label[:, :, :3] = 255
    image = rng.integers(0, 256, (STEPS, 2, 32, 32, 3)).astype(np.uint8)
    return {"image": image, "depth": rng.random((STEPS, 2, 32, 32, 1), np.float32), "label": label}


def adamw(model):
    optimizer = keras.optimizers.AdamW(1e-3, weight_decay=0.05, epsilon=1e-8)
    optimizer.exclude_from_weight_decay([v for v in model.trainable_variables if v.ndim < 2])
    return optimizer, AdamW(1e-3, CONSTANT, stage_decay=1.0)


def sgd(model):
    return keras.optimizers.SGD(1e-2, momentum=0.9), SGD(1e-2, CONSTANT, weight_decay=0.0)


# Keras adds Adam's epsilon before the bias correction, optax and PyTorch after it: where gradients
# are as small, the variables go apart; only the losses are compared.
@pytest.mark.parametrize(("optimizers", "exact"), [(adamw, False), (sgd, True)])
def test_the_first_steps_are_the_engines(optimizers, exact):
    batches = example()
    model = build(taps=False)
    optimizer, engine = optimizers(model)
    model.compile(optimizer, loss=compiled_cross_entropy, metrics=[MeanIoU()])
    inputs = {name: batches[name].reshape(-1, *batches[name].shape[2:]) for name in batches}
    label = inputs.pop("label")
    epochs = [
        model.fit(
            {name: value[2 * step : 2 * step + 2] for name, value in inputs.items()},
            label[2 * step : 2 * step + 2],
            batch_size=2,
            verbose=0,
        ).history
        for step in range(STEPS)
    ]

    network, method = Network(build(taps=True)), SourceOnly()
    start = network.init()[0]
    optimizers = {SEGMENTER: engine.build(start, STEPS)}
    state = initial_state({SEGMENTER: network}, method, optimizers, seed=0)
    step = training_step({SEGMENTER: network}, method, optimizers, seed=0)
    for number in range(STEPS):
        batch = {name: value[number] for name, value in batches.items()}
        state, logs = step(state, batch, None)
        np.testing.assert_allclose(epochs[number]["loss"][0], logs["loss"], rtol=2e-4)
        assert 0 <= epochs[number]["miou"][0] <= 1
    if not exact:
        return
    theirs = {variable.path: variable.value for variable in model.variables}
    for path, value in state.params[SEGMENTER].items():
        moved = np.abs(value - start[path]).max()
        np.testing.assert_allclose(theirs[path], value, rtol=0, atol=1e-2 * moved + 1e-7)
    for path, value in state.buffers[SEGMENTER].items():
        np.testing.assert_allclose(theirs[path], value, rtol=1e-3, atol=1e-5)
