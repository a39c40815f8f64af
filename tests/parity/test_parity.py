"""Our networks against PyTorch's, on the goldens that make_golden.py wrote."""

import runpy
from pathlib import Path

import jax
import keras
import numpy as np
import pytest
from keras import ops
from safetensors.numpy import save_file

from rdepth_keras import losses, models
from rdepth_keras.models.encoders.convnext import ConvNeXt, ConvNeXtBlock, convnext
from rdepth_keras.models.layers import resample
from rdepth_keras.models.weights import load as weights
from rdepth_keras.models.weights.layouts import UPERNET

HERE = Path(__file__).resolve().parent
DRAW = runpy.run_path(str(HERE / "draw.py"))
draw, draw_image, draw_label = DRAW["draw"], DRAW["draw_image"], DRAW["draw_label"]
QUICK = {  # compiles in a quarter of the time
    "xla_backend_optimization_level": 0,
    "xla_cpu_parallel_codegen_split_count": 1,
    "xla_cpu_use_fusion_emitters": False,
    "xla_llvm_disable_expensive_passes": True,
}
TINY_SIZE, WIDE_SIZE = (1, 3, 33, 45), (1, 3, 32, 40)


def golden(name):
    with np.load(HERE.parent / "golden" / f"{name}.npz") as file:
        return dict(file)


def checkpoint(shapes, path):
    """The random weights of a golden as a published file."""
    save_file(DRAW["draw_weights"](DRAW["unpack_shapes"](shapes)), path)
    return path


def channels_last(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def run(function, *arguments):
    return jax.jit(function).lower(*arguments).compile(QUICK)(*arguments)


def infer(model, inputs):
    params = [variable.value for variable in model.trainable_variables]
    fixed = [variable.value for variable in model.non_trainable_variables]
    return run(model.stateless_call, params, fixed, inputs)[0]


def difference(ours, theirs, least=0.0):
    """The largest difference, relative to the largest number, or to ``least`` if all are less."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max() / max(np.abs(theirs).max(), least)


@pytest.mark.parametrize("name", sorted(golden("resample")))
def test_resampling(name):
    theirs = golden("resample")[name]
    kind, *numbers = name.split("_")
    height, width, *rest = map(int, numbers)
    x = channels_last(draw("map", (1, 2, height, width)))
    if kind == "pool":
        ours = resample.adaptive_average_pool(x, *rest)
    else:
        ours = resample.resize(x, rest[:2], align_corners=bool(rest[2]))
    assert difference(ours, theirs) <= 2e-6


@pytest.mark.parametrize(
    ("name", "encoder", "size"),
    [
        pytest.param(
            *("tiny", convnext("tiny", name="image_encoder"), TINY_SIZE), marks=pytest.mark.proof
        ),
        ("wide", ConvNeXt((1, 1, 2, 1), (128, 256, 512, 1024), name="image_encoder"), WIDE_SIZE),
    ],
)
def test_convnext_stages(name, encoder, size, tmp_path):
    theirs = golden("convnext")
    image = keras.Input((None, None, 3))
    model = keras.Model(image, encoder(image))
    weights.load(model, checkpoint(theirs[f"{name}_shapes"], tmp_path / "model.safetensors"))
    for stage, ours in enumerate(infer(model, channels_last(draw(name, size))), 1):
        assert difference(ours, theirs[f"{name}_{stage}"]) <= 1e-5


@pytest.mark.proof
def test_upernet_logits(tmp_path):
    theirs = golden("upernet")
    path = checkpoint(theirs.pop("shapes"), tmp_path / "model.safetensors")
    encoder = {"depths": (1, 1, 1, 1), "widths": (16, 24, 32, 48)}
    sizes = {"channels": 16, "auxiliary_channels": 16}
    model = models.build("convnext_b", image_encoder=encoder, weights=path, **sizes)
    assert len(theirs) >= 4
    for name, logits in theirs.items():
        image = draw_image(name, (1, *map(int, name.split("_")[1:])))
        ours = np.asarray(infer(model, {"image": image}))
        assert difference(ours, logits) <= 1e-4
        low, high = np.sort(logits, -1)[..., -2:].transpose(3, 0, 1, 2)
        clear = high - low > 2e-4 * np.abs(logits).max()
        assert clear.mean() > 0.99
        np.testing.assert_array_equal(ours.argmax(-1)[clear], logits.argmax(-1)[clear])


@pytest.mark.proof
def test_gradients_of_a_training_step(tmp_path):
    """Encoder, decoder, both heads, batch statistics and the loss, in one step."""
    theirs = golden("gradients")
    path = checkpoint(theirs["shapes"], tmp_path / "model.safetensors")
    encoder = {"depths": (1, 1, 1, 1), "widths": (8, 12, 16, 24)}
    sizes = {"channels": 8, "auxiliary_channels": 8, "drop_path": 0, "dropout": 0}
    model = models.build("convnext_b", image_encoder=encoder, weights=path, taps=True, **sizes)
    inputs = {"image": draw_image("gradients", (3, 64, 96))}
    label = draw_label("gradients", (3, 64, 96))

    def loss(params, buffers):
        maps, buffers = model.stateless_call(params, buffers, inputs, training=True)
        terms = [losses.cross_entropy(maps[name], label) for name in ("logits", "auxiliary")]
        return terms[0] + 0.4 * terms[1], buffers

    params, buffers = model.trainable_variables, model.non_trainable_variables
    values = [p.value for p in params], [b.value for b in buffers]
    (total, now), gradients = run(jax.value_and_grad(loss, has_aux=True), *values)
    ours = {p.path: g for p, g in zip(params, gradients, strict=True)}
    ours |= {b.path: n for b, n in zip(buffers, now, strict=True)}

    arrays = {name.split(" ")[-1]: array for name, array in theirs.items() if " " in name}
    wanted = weights.match(weights.variables_by_path(model), arrays, UPERNET, "golden")
    assert wanted.keys() == ours.keys()
    assert difference(total, theirs["loss"]) <= 1e-5
    # A shift just before batch normalisation has no gradient but rounding.
    worst = {path: difference(ours[path], wanted[path], least=1e-3) for path in wanted}
    assert max(worst.values()) <= 1e-4, max(worst, key=worst.__getitem__)


def test_gradients_of_a_block():
    theirs = golden("block_gradients")
    drawn = DRAW["draw_weights"](DRAW["unpack_shapes"](theirs["shapes"]))
    block = ConvNeXtBlock(6, name="block")
    block.build((None, None, None, 6))
    names = {
        "depthwise": "conv_dw",
        "norm": "norm",
        "expand": "mlp.fc1",
        "project": "mlp.fc2",
    }
    sources = {"block/scale/gamma": "gamma"}
    for ours, source in names.items():
        first, second = ("gamma", "beta") if ours == "norm" else ("kernel", "bias")
        sources[f"block/{ours}/{first}"] = f"{source}.weight"
        sources[f"block/{ours}/{second}"] = f"{source}.bias"

    def turn(array):
        return array.transpose((2, 3, 1, 0) if array.ndim == 4 else None)

    params = [turn(drawn[sources[variable.path]]) for variable in block.variables]
    x = channels_last(draw("x", (2, 6, 5, 11)))
    cotangent = channels_last(draw("cotangent", (2, 6, 5, 11)))

    def call(params, x):
        return block.stateless_call(params, [], x)[0]

    y, pull = jax.vjp(jax.jit(call), params, x)
    gradients, input_gradient = pull(ops.convert_to_tensor(cotangent))
    assert difference(y, theirs["y"]) <= 1e-5
    assert difference(input_gradient, theirs["gradient x"]) <= 1e-4
    for variable, gradient in zip(block.variables, gradients, strict=True):
        wanted = turn(theirs[f"gradient {sources[variable.path]}"])
        assert difference(gradient, wanted) <= 1e-4
