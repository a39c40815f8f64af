"""The networks of the baselines against PyTorch's, on the goldens of make_baselines.py."""

import runpy
from pathlib import Path

import jax
import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from rdepth_keras import models
from rdepth_keras.models.decoders.aspp import ASPP, SummedASPP
from rdepth_keras.models.decoders.daformer import DAFormer
from rdepth_keras.models.decoders.pyramid import Pyramid
from rdepth_keras.models.decoders.segformer import SegFormer
from rdepth_keras.models.dgcd.refiner import Refiner
from rdepth_keras.models.encoders.resnet import ResNet
from rdepth_keras.models.weights import load as weights
from rdepth_keras.models.weights.layouts import Layout
from rdepth_keras.models.weights.layouts_resnet import RESNET_TIMM_DEEP

HERE = Path(__file__).resolve().parent
DRAW = runpy.run_path(str(HERE / "draw.py"))
draw, draw_image = DRAW["draw"], DRAW["draw_image"]
SHALLOW = (1, 2, 2, 2)
MAPS = ((6, 12, 14), (10, 6, 7), (14, 3, 4), (18, 2, 2))  # channels and size of four stages


def golden(name):
    with np.load(HERE.parent / "golden" / f"{name}.npz") as file:
        return dict(file)


def drawn(shapes):
    return DRAW["draw_weights"](DRAW["unpack_shapes"](shapes))


def checkpoint(shapes, path):
    save_file(drawn(shapes), path)
    return path


def channels_last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def difference(ours, theirs):
    """The largest difference, relative to the largest number."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def images(theirs, kind):
    """(name, image) for every golden of that kind."""
    for name in (name for name in theirs if name.startswith(kind)):
        size = tuple(map(int, name.split("_")[-2:]))
        yield name, size


@pytest.mark.proof
def test_segformer_b0_logits(tmp_path):
    theirs = golden("segformer")
    path = checkpoint(theirs.pop("shapes"), tmp_path / "model.safetensors")
    model = models.build("segformer_b0", weights=path, taps=True)
    for name, size in images(theirs, "logits"):
        maps = model.predict({"image": draw_image(name, (2, *size))}, verbose=0)
        assert difference(maps["logits"], theirs[name]) <= 1e-4


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        pytest.param("s32", {"depths": SHALLOW}, marks=pytest.mark.proof),
        pytest.param("s16", {"depths": SHALLOW, "output_stride": 16}, marks=pytest.mark.proof),
        ("s8", {"depths": SHALLOW, "output_stride": 8}),
        ("deep", {"depths": SHALLOW, "output_stride": 8, "deep_stem": True}),
        ("hub", {"depths": (1, 2, 1, 1)}),
    ],
)
def test_resnet_stages(name, encoder, tmp_path):
    theirs = golden("resnet")
    image = keras.Input((None, None, 3))
    model = keras.Model(image, ResNet(**encoder, name="image_encoder")(image))
    weights.load(model, checkpoint(theirs[f"{name}_shapes"], tmp_path / "model.safetensors"))
    maps = model.predict(channels_last(draw(name, (1, 3, 37, 45))), verbose=0)
    for stage, ours in enumerate(maps, 1):
        assert difference(ours[..., ::8], theirs[f"{name}_{stage}"]) <= 1e-5


def conv_block(source, path):
    return (rf"{source}\.conv", f"{path}/conv"), (rf"{source}\.norm", f"{path}/norm")


def separable(source, path):
    first, (norm_source, norm_path) = conv_block(rf"{source}\.0", f"{path}/depthwise")
    return (
        (first[0], f"{path}/depthwise"),
        (norm_source, norm_path),
        *conv_block(rf"{source}\.1", f"{path}/pointwise"),
    )


def context(dilations, split=False):
    """Rules for the reference's pooling of several dilations; the first branch is 1x1."""
    rules = [*conv_block(r"context\.pool", "context/pool")]
    rules += conv_block(r"context\.bottleneck", "context/bottleneck")
    for index, dilation in enumerate(dilations):
        rule = separable if split and index else conv_block
        rules += rule(rf"context\.branches\.{index}", f"context/dilation{dilation}")
    return tuple(rules)


DEEPLABV3 = Layout(
    name="the golden's",
    mark=r"encoder\.conv1\.0\.weight",
    rules=(
        *(
            (rf"encoder\.{source}", f"image_encoder/{path}")
            for source, path in RESNET_TIMM_DEEP.rules
        ),
        *((source, f"decoder/{path}") for source, path in context((1, 12, 24, 36))),
        (r"classifier", "head/classifier"),
        *conv_block("auxiliary", "auxiliary/block"),
        (r"auxiliary_classifier", "auxiliary/classifier"),
    ),
    stem="image_encoder/stem1",
)


@pytest.mark.proof
def test_deeplabv3_logits():
    theirs = golden("deeplabv3")
    sizes = {"channels": 8, "auxiliary_channels": 8}
    model = models.build("deeplabv3", taps=True, **sizes)
    variables = weights.variables_by_path(model)
    found = weights.match(variables, drawn(theirs.pop("shapes")), DEEPLABV3, "golden")
    assert found.keys() == variables.keys()
    for path, array in found.items():
        variables[path].assign(array)
    for name, size in images(theirs, "logits"):
        given = name.removeprefix("logits_")
        maps = model.predict({"image": draw_image(given, (1, *size))}, verbose=0)
        assert difference(maps["logits"], theirs[name]) <= 1e-4
        assert difference(maps["auxiliary"], theirs[f"auxiliary_{given}"]) <= 1e-4


LAYERS = {
    "DAFormer": (
        DAFormer(8),
        ((r"project\.(\d+)", "project{}"), *context((1, 6, 12, 18), split=True)),
    ),
    "DeepLabV3Plus": (
        ASPP(8, separable=True, skip_channels=4),
        (
            *context((1, 12, 24, 36), split=True),
            *conv_block("skip", "skip"),
            *separable(r"fuse\.0", "fuse1"),
            *separable(r"fuse\.1", "fuse2"),
        ),
    ),
    "SegFormerBlocks": (
        SegFormer(8, linear=False),
        (*conv_block(r"project\.(\d+)", "project{}"), *conv_block("fuse", "fuse")),
    ),
    "Pyramid": (
        Pyramid(8),
        (
            *(
                rule
                for index, size in enumerate((1, 2, 3, 6))
                for rule in conv_block(rf"blocks\.{index}", f"pyramid{size}")
            ),
            *conv_block("bottleneck", "bottleneck"),
        ),
    ),
    "SummedASPP": (
        SummedASPP(7),
        tuple((rf"convs\.{i}", f"dilation{d}") for i, d in enumerate((6, 12, 18, 24))),
    ),
    "Refiner": (
        Refiner(7, 8),
        (
            *conv_block("logits_block", "logits"),
            *conv_block("depth_block", "depth"),
            *conv_block("fuse", "fuse"),
            ("correction", "correction"),
        ),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_decoders_and_heads(name):
    layer, rules = LAYERS[name]
    theirs = golden("decoders")
    maps = tuple(
        channels_last(draw(f"map{stage}", (2, *shape))) for stage, shape in enumerate(MAPS, 1)
    )
    logits = channels_last(draw("logits", (2, 7, 12, 14)))
    given = {"Pyramid": maps[1:2], "SummedASPP": maps[:1], "Refiner": (logits, maps[0])}.get(
        name, (maps,)
    )
    layer.build(*keras.tree.map_structure(np.shape, given))
    variables = {
        path.removeprefix(f"{layer.name}/"): variable
        for path, variable in weights.variables_by_path(layer).items()
    }
    layout = Layout("the golden's", "", rules, fresh="share")
    found = weights.match(variables, drawn(theirs[f"{name}_shapes"]), layout, "golden")
    for path, array in found.items():
        variables[path].assign(array)
    assert difference(jax.jit(layer)(*given), theirs[name]) <= 1e-5
