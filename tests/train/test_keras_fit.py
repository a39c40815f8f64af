"""`model.fit` with a Keras optimizer takes the engine's first steps."""

import keras
import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.adapt import SEGMENTER, SourceOnly
from rdepth_keras.models.metrics import MeanIoU, compiled_cross_entropy
from rdepth_keras.network import Network
from rdepth_keras.optimizers import AdamW, Schedule
from rdepth_keras.train.state import initial_state
from rdepth_keras.train.step import training_step

SMALL = {"depths": (1, 1, 1, 1), "widths": (8, 8, 8, 8)}
STEPS = 3


def build(taps):
    keras.utils.set_random_seed(3)
    sizes = {"channels": 8, "auxiliary_channels": None, "drop_path": 0.0, "dropout": 0.0}
    parts = {"image_encoder": SMALL, "depth_encoder": SMALL, "decoder": "segformer"}
    return models.build("twin", taps=taps, **parts, **sizes)


def example():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 7, (STEPS, 2, 96, 96)).astype(np.uint8)
    label[:, :, :3] = 255
    image = rng.integers(0, 256, (STEPS, 2, 96, 96, 3)).astype(np.uint8)
    return {"image": image, "depth": rng.random((STEPS, 2, 96, 96, 1), np.float32), "label": label}


@pytest.mark.proof
def test_the_first_steps_are_the_engines():
    batches = example()
    model = build(taps=False)
    # Keras adds Adam's epsilon before the bias correction, optax and PyTorch after it.
    epsilon = 1e-8 * (1 - 0.999) ** 0.5
    optimizer = keras.optimizers.AdamW(1e-3, weight_decay=0.05, epsilon=epsilon)
    optimizer.exclude_from_weight_decay([v for v in model.trainable_variables if v.ndim < 2])
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
    engine = AdamW(1e-3, Schedule(0.0, power=0.0), stage_decay=1.0)
    start = network.init()[0]
    optimizers = {SEGMENTER: engine}
    state = initial_state({SEGMENTER: network}, method, optimizers, seed=0)
    step = training_step({SEGMENTER: network}, method, optimizers, steps=STEPS, seed=0)
    for number in range(STEPS):
        batch = {name: value[number] for name, value in batches.items()}
        state, logs = step(state, batch, None)
        np.testing.assert_allclose(epochs[number]["loss"][0], logs["loss"], rtol=2e-4)
        assert 0 <= epochs[number]["miou"][0] <= 1
    theirs, ours = {v.path: v.value for v in model.variables}, state.params[SEGMENTER]
    # Kernels: Adam makes whole steps of the rounding that is the gradient of a bias before a norm.
    kernels = [path for path in start if start[path].ndim > 1]
    moved = sum(np.square(ours[path] - start[path]).sum() for path in kernels)
    apart = sum(np.square(ours[path] - theirs[path]).sum() for path in kernels)
    assert apart < 0.02**2 * moved
    for path, value in state.buffers[SEGMENTER].items():
        np.testing.assert_allclose(theirs[path], value, rtol=1e-2, atol=1e-3, err_msg=path)
