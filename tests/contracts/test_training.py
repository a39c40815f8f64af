"""Every recipe trains, from random weights and from files as they are published.

At toy size: small scenes and crops, and an encoder of one block a stage.
"""

import runpy
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from rdepth_keras import models
from rdepth_keras.adapt import SEGMENTER, STDASegNet
from rdepth_keras.assembly import assemble, domain_batches, open_data, training_sources
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.models.encoders.convnext import convnext
from rdepth_keras.models.encoders.mit import MiT
from rdepth_keras.models.encoders.resnet import ResNet
from rdepth_keras.models.layers.domain_norm import TransNorm
from rdepth_keras.recipes import RECIPES, recipe
from rdepth_keras.train.devices import shard_batch

TESTS = Path(__file__).resolve().parents[1]
DRAW = runpy.run_path(str(TESTS / "parity" / "draw.py"))
DEPTHS = (1, 1, 1, 1)
TOYS = {
    "convnext": partial(convnext, depths=DEPTHS, widths=(8, 8, 8, 8)),
    "mit": partial(MiT, depths=DEPTHS, widths=(8, 16, 20, 32)),
    "resnet": partial(ResNet, depths=DEPTHS, deep_stem=True, output_stride=8),
    "transnorm": partial(ResNet, depths=DEPTHS, width=8, output_stride=16, norm=TransNorm),
}
RANDOM = {
    "weights": "none",
    "depth_weights": None,
    "start_from": "a run, which nothing here reads",
}
TOYS["narrow"] = partial(TOYS["resnet"], width=8)  # where no file is read


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    for name, encoder in TOYS.items():
        monkeypatch.setitem(models.ENCODERS, name, encoder)


def family(name):
    if "transnorm" in name:
        return "transnorm"
    return next((kind for kind in ("mit", "resnet") if name.startswith(kind)), "convnext")


def toy(name, files=None, network=None):
    """The recipe with small encoders, from random weights or ``files``; on another ``network``."""
    experiment = recipe(name)
    network = network or experiment.network
    toys = {name: family(encoder) for name, encoder in network.encoders.items()}
    if files is None:
        toys = {name: "narrow" if kind == "resnet" else kind for name, kind in toys.items()}
    small = replace(network, **toys, channels=16)
    if getattr(small, "auxiliary_channels", None):
        small = replace(small, auxiliary_channels=8)
    weights = RANDOM
    if files is not None:
        image, depth = toys["image_encoder"], toys.get("depth_encoder")
        weights = {"weights": str(files[image]), "depth_weights": depth and str(files[depth])}
    method = experiment.method
    if isinstance(method, STDASegNet):  # whose critics see the last map, of 2 x 2 places
        method = replace(method, widths=())
    return experiment.changed(
        data=Demo(train_tiles=2, val_tiles=1, test_tiles=1, tile_pixels=192),
        network=small,
        method=method,
        training={**weights, "steps": 2, "batch_size": 2, "crop": 64},
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    written = {}
    with np.load(TESTS / "golden" / "encoders.npz") as golden:
        for name, packed in golden.items():
            written[name] = folder / f"{name}.safetensors"
            shapes = DRAW["unpack_shapes"](packed)
            save_file(DRAW["draw_weights"](shapes), written[name])
    return written


def params(state):
    return jax.device_get(state.params[SEGMENTER])


def two_steps(experiment):
    """The params before and after, and the losses."""
    assembly = assemble(experiment)
    sources = training_sources(experiment, open_data(experiment))
    batches = domain_batches(experiment, sources, lambda _: None)
    state, losses = assembly.state, []
    before = {path: np.array(value) for path, value in params(state).items()}
    for _ in range(2):
        parts = {name: shard_batch(next(part), assembly.mesh) for name, part in batches.items()}
        state, logs = assembly.step(state, parts["source"], parts.get("target"))
        losses.append(float(logs["loss"]))
    return before, params(state), losses


@pytest.mark.proof
@pytest.mark.parametrize("name", RECIPES)
def test_two_steps_from_random_weights(name):
    before, after, losses = two_steps(toy(name))
    assert np.isfinite(losses).all()
    assert all((before[path] != after[path]).any() for path in before if path.endswith("kernel"))


TWIN = models.MODELS["rdepth_b_s"]
TWO_HEADS = models.DeepLabV2("base", "small", stages=(4, 4), merge="sum")
STUDENTS = models.STDASegNet("base", "base", "small", "small", decoder="upernet")


@pytest.mark.proof
@pytest.mark.parametrize(
    ("name", "network"),
    [
        *(("adaptsegnet", TWIN), ("fada", TWIN), ("clan", TWO_HEADS)),
        *((name, TWIN) for name in ("pycda", "iast", "dca")),
        ("dca", TWO_HEADS),
        ("st_dasegnet_segformer", STUDENTS),
    ],
)
def test_methods_on_image_and_depth(name, network):
    before, after, losses = two_steps(toy(name, network=network))
    assert np.isfinite(losses).all()
    assert all((before[path] != after[path]).any() for path in before if path.endswith("kernel"))


@pytest.mark.proof
@pytest.mark.parametrize("name", ["rdepth_b_s", "convnext_b", "deeplabv3", "segformer"])
def test_two_steps_from_local_files(name, files):
    before, _, losses = two_steps(toy(name, files))
    assert np.isfinite(losses).all()
    other = params(assemble(toy(name, files).changed(training={"seed": 1})).state)
    for path in before:
        # Of an encoder, only ConvNeXt's norms of the first three outputs are in no file.
        if path.startswith(("image_encoder", "depth_encoder")):
            np.testing.assert_array_equal(before[path], other[path], err_msg=path)
    assert (before["head/classifier/kernel"] != other["head/classifier/kernel"]).any()
    random = params(assemble(toy(name, files).changed(training=RANDOM)).state)
    kernels = [path for path in before if path.startswith("image_") and path.endswith("kernel")]
    assert kernels and all((before[path] != random[path]).any() for path in kernels)
