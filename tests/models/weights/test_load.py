"""Published weights -> variables: layouts, leftovers, and what does not fit."""

import json
import runpy
from pathlib import Path

import jax
import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from rdepth_keras import models
from rdepth_keras.models.encoders.convnext import ConvNeXt, convnext
from rdepth_keras.models.weights import load as weights

TESTS = Path(__file__).resolve().parents[2]
DRAW = runpy.run_path(str(TESTS / "parity" / "draw.py"))
DEPTHS, WIDTHS = (1, 1, 2, 1), (4, 6, 8, 10)
ENCODER = {"depths": DEPTHS, "widths": WIDTHS}
SMALL = {"image_encoder": ENCODER, "channels": 4, "auxiliary_channels": 4}


def timm_shapes(channels=3):
    """Names and shapes of timm's ConvNeXt of these sizes."""
    shapes = {"stem.0.weight": (WIDTHS[0], channels, 4, 4), "stem.0.bias": WIDTHS[:1]}
    shapes |= {f"stem.1.{leaf}": WIDTHS[:1] for leaf in ("weight", "bias")}
    for stage, (depth, width) in enumerate(zip(DEPTHS, WIDTHS, strict=True)):
        if stage:
            before = WIDTHS[stage - 1]
            name = f"stages.{stage}.downsample"
            shapes |= {f"{name}.0.{leaf}": (before,) for leaf in ("weight", "bias")}
            shapes |= {f"{name}.1.weight": (width, before, 2, 2), f"{name}.1.bias": (width,)}
        for block in range(depth):
            name = f"stages.{stage}.blocks.{block}"
            shapes[f"{name}.gamma"] = (width,)
            shapes |= {f"{name}.conv_dw.weight": (width, 1, 7, 7), f"{name}.conv_dw.bias": (width,)}
            shapes |= {f"{name}.norm.{leaf}": (width,) for leaf in ("weight", "bias")}
            shapes[f"{name}.mlp.fc1.weight"] = (4 * width, width)
            shapes[f"{name}.mlp.fc1.bias"] = (4 * width,)
            shapes[f"{name}.mlp.fc2.weight"] = (width, 4 * width)
            shapes[f"{name}.mlp.fc2.bias"] = (width,)
    shapes |= {f"head.norm.{leaf}": WIDTHS[3:] for leaf in ("weight", "bias")}
    return shapes | {"head.fc.weight": (1000, WIDTHS[3]), "head.fc.bias": (1000,)}


RENAMES = (  # timm -> Hugging Face
    ("stem.0", "convnext.embeddings.patch_embeddings"),
    ("stem.1", "convnext.embeddings.layernorm"),
    ("stages", "convnext.encoder.stages"),
    ("downsample", "downsampling_layer"),
    ("blocks", "layers"),
    ("gamma", "layer_scale_parameter"),
    ("conv_dw", "dwconv"),
    ("head.norm", "convnext.layernorm"),
    ("norm.", "layernorm."),
    ("layerlayernorm", "layernorm"),
    ("mlp.fc", "pwconv"),
    ("head.fc", "classifier"),
)


def hugging_face(arrays):
    renamed = {}
    for name, array in arrays.items():
        for old, new in RENAMES:
            name = name.replace(old, new)
        renamed[name] = array
    return renamed


def save(path, arrays):
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    return path


@pytest.fixture
def arrays():
    return DRAW["draw_weights"](timm_shapes())


@pytest.fixture
def file(arrays, tmp_path):
    return save(tmp_path / "model.safetensors", arrays)


def values(model):
    return {path: np.asarray(v.value) for path, v in weights.variables_by_path(model).items()}


def one_line(error, *parts):
    text = str(error.value)
    assert "\n" not in text
    for part in parts:
        assert part in text


def assert_encoder(model, arrays, name="image_encoder"):
    ours = {path: v for path, v in values(model).items() if path.startswith(f"{name}/")}
    wanted = {
        "stem/kernel": arrays["stem.0.weight"].transpose(2, 3, 1, 0),
        "stem/bias": arrays["stem.0.bias"],
        "stage2_downsample/kernel": arrays["stages.1.downsample.1.weight"].transpose(2, 3, 1, 0),
        "stage3_block2/depthwise/kernel": arrays["stages.2.blocks.1.conv_dw.weight"].transpose(
            2, 3, 1, 0
        ),
        "stage3_block2/expand/kernel": arrays["stages.2.blocks.1.mlp.fc1.weight"].T,
        "stage3_block2/norm/beta": arrays["stages.2.blocks.1.norm.bias"],
        "stage3_block2/scale/gamma": arrays["stages.2.blocks.1.gamma"],
        "stage4_output_norm/gamma": arrays["head.norm.weight"],
        "stage3_output_norm/gamma": np.ones(WIDTHS[2]),
    }
    for path, array in wanted.items():
        np.testing.assert_array_equal(ours[f"{name}/{path}"], array)


@pytest.mark.parametrize("layout", ["timm", "timm with 1x1 kernels", "Hugging Face"])
def test_layouts_are_told_apart(layout, arrays, tmp_path):
    stored = arrays
    if layout == "Hugging Face":
        stored = hugging_face(arrays)
    elif layout == "timm with 1x1 kernels":  # timm's smallest variants
        stored = {
            n: a[:, :, None, None] if ".mlp." in n and a.ndim == 2 else a for n, a in arrays.items()
        }
    path = save(tmp_path / "model.safetensors", stored)
    assert_encoder(models.build("convnext_b", weights=path, **SMALL), arrays)


def test_each_encoder_takes_its_own(file, arrays):
    given = {"image_encoder": file, "depth_encoder": None}
    model = models.build("twin", depth_encoder=ENCODER, weights=given, **SMALL)
    assert_encoder(model, arrays)
    depth = values(model)["depth_encoder/stage3_block2/expand/kernel"]
    assert not np.array_equal(depth, arrays["stages.2.blocks.1.mlp.fc1.weight"].T)


def test_a_depth_map_is_a_grey_image_to_its_encoder(file):
    """A grey image through the image encoder gives the maps of its depth through the other."""
    given = {"image_encoder": file, "depth_encoder": file}
    model = models.build("twin", depth_encoder=ENCODER, weights=given, taps=True, **SMALL)
    depth = np.random.default_rng(0).uniform(size=(1, 35, 33, 1)).astype(np.float32)
    inputs = {"image": np.repeat(255 * depth, 3, -1), "depth": depth}
    maps = jax.jit(keras.Model(model.input, model.output["features"]))(inputs)
    for fused, width in zip(maps, WIDTHS, strict=True):
        image, depth = np.split(np.asarray(fused), [width], -1)
        np.testing.assert_allclose(depth, image, rtol=1e-4, atol=1e-5)


def test_a_stem_of_one_channel_is_refused_with_the_range_of_ours(arrays, tmp_path):
    path = save(tmp_path / "model.safetensors", {**arrays, "stem.0.weight": np.ones((4, 1, 4, 4))})
    with pytest.raises(ValueError, match="one channel, of a range that the file does not") as error:
        models.build("twin", depth_encoder=ENCODER, weights={"depth_encoder": path}, **SMALL)
    one_line(error, str(path), "stem/kernel is (4, 4, 3, 4)", "0 to 255", "ImageNet's mean")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_and_named(value, arrays, tmp_path):
    arrays["stages.2.blocks.1.mlp.fc1.weight"][3, 1] = value
    path = save(tmp_path / "model.safetensors", arrays)
    model = models.build("convnext_b", **SMALL)
    before = values(model)
    with pytest.raises(ValueError, match="not finite, in stages.2.blocks.1.mlp.fc1.w") as error:
        weights.load(model, path)
    one_line(error, str(path))
    for name, array in values(model).items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("value", [0.0, 1e30])
def test_a_file_filled_up_after_a_cut_is_refused(value, arrays, tmp_path):
    """Its last two thirds are one value: biases may be, kernels never are."""
    for name in list(arrays)[len(arrays) // 3 :]:
        arrays[name] = np.full_like(arrays[name], value)
    path = save(tmp_path / "model.safetensors", arrays)
    model = models.build("convnext_b", **SMALL)
    before = values(model)
    with pytest.raises(
        ValueError, match="one value all over in .*stage.*Was their download cut"
    ) as error:
        weights.load(model, path)
    one_line(error, "Fetch the file again")
    for name, array in values(model).items():
        np.testing.assert_array_equal(array, before[name])


def test_a_file_with_a_hole_is_refused(arrays, tmp_path, monkeypatch):
    """A part of its download was left out: zeros in the middle of a kernel."""
    monkeypatch.setattr("rdepth_keras.models.weights.soundness._HOLE", 40)
    model, flat = models.build("convnext_b", **SMALL), arrays["stages.3.blocks.0.mlp.fc1.weight"]
    assert flat.size > 100
    flat.reshape(-1)[30:69] = 0
    weights.load(model, save(tmp_path / "sparse.safetensors", arrays))
    before = values(model)
    flat.reshape(-1)[30:71] = 0
    path = save(tmp_path / "model.safetensors", arrays)
    with pytest.raises(ValueError, match="40 zeros or more one after another in .*stage") as error:
        weights.load(model, path)
    one_line(error, "Fetch the file again")
    for name, array in values(model).items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "bool"])
def test_numbers_of_a_quantised_file_are_refused_and_named(dtype, arrays, tmp_path):
    """They would be taken for weights, a hundred times as large."""
    name = "stages.2.blocks.1.mlp.fc1.weight"
    counted = {"head.norm.num_batches_tracked": np.array([3])}
    path = save(tmp_path / "model.safetensors", {**arrays, **counted})
    model = models.build("convnext_b", weights=path, **SMALL)
    path = save(tmp_path / "model.safetensors", {**arrays, name: arrays[name].astype(dtype)})
    with pytest.raises(ValueError, match="other than floating-point numbers, in stages.2") as error:
        weights.load(model, path)
    one_line(error, str(path), "quantised")


def test_a_variable_is_given_once(arrays, tmp_path):
    """Two trainings in one file, with and without a prefix: which one would count?"""
    named = hugging_face(arrays)
    again = {name.removeprefix("convnext."): array + 1 for name, array in named.items()}
    path = save(tmp_path / "model.safetensors", {**named, **again})
    model = models.build("convnext_b", **SMALL)
    with pytest.raises(ValueError, match="holds twice, by several names, ") as error:
        weights.load(model, path)
    one_line(error, str(path), "embeddings.layernorm.bias")


def test_a_classifier_with_a_hidden_layer_is_left_aside(arrays, tmp_path):
    """timm's convnext_large_mlp and its kin."""
    hidden = {
        "head.pre_logits.fc.weight": np.ones((12, 10)),
        "head.pre_logits.fc.bias": np.ones(12),
    }
    path = save(tmp_path / "model.safetensors", {**arrays, **hidden})
    assert_encoder(models.build("convnext_b", weights=path, **SMALL), arrays)


def test_encoders_go_by_their_names(file, arrays):
    """Any layer whose name ends in _encoder takes weights, of a network with any such fields."""
    image = keras.Input((None, None, 3))
    layers = [convnext(**ENCODER, name=f"{name}_image_encoder") for name in ("source", "target")]
    model = keras.Model(image, [layer(image) for layer in layers])
    weights.load(model, {"target_image_encoder": file})
    assert_encoder(model, arrays, "target_image_encoder")
    stem = values(model)["source_image_encoder/stem/bias"]
    np.testing.assert_array_equal(stem, np.zeros(WIDTHS[0]))
    weights.load(model, file)  # both, where none is of depth
    assert_encoder(model, arrays, "source_image_encoder")
    with pytest.raises(ValueError, match="to source_image_encoder, target_image_encoder"):
        weights.load(model, {"image_encoder": file})


def test_a_single_encoder_takes_a_single_file(file, arrays):
    assert_encoder(models.build("convnext_b", weights=str(file), **SMALL), arrays)
    with pytest.raises(ValueError, match="does not hold a whole network") as error:
        models.build("twin", depth_encoder=ENCODER, weights=file, **SMALL)
    one_line(error, str(file), "'depth_encoder'")


def test_unknown_part():
    with pytest.raises(ValueError, match="no depth_encoder; weights go to image_encoder"):
        models.build("convnext_b", weights={"depth_encoder": "a"}, **SMALL)


def change(arrays, **changes):
    """The arrays with others instead; None takes one away."""
    changes = {name.replace("__", "."): value for name, value in changes.items()}
    return {n: a for n, a in {**arrays, **changes}.items() if a is not None}


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"stages__0__blocks__0__extra": np.ones(4)}, ["no use for stages.0.blocks.0.extra"]),
        ({"stages__0__blocks__1__gamma": np.ones(4)}, ["no use for stages.0.blocks.1.gamma"]),
        ({"head__norm__weight": None}, ["lacks stage4_output_norm/gamma"]),
        ({"stages__3__blocks__0__gamma": None}, ["lacks stage4_block1/scale/gamma"]),
        ({"stem__1__weight": np.ones(5)}, ["stem_norm/gamma is (4,)", "has (5,)"]),
        ({"stem__0__weight": np.ones((4, 2, 4, 4))}, ["stem/kernel is (4, 4, 3, 4)"]),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_changes(changes, parts, arrays, tmp_path):
    path = save(tmp_path / "model.safetensors", change(arrays, **changes))
    model = models.build("convnext_b", **SMALL)
    before = values(model)
    with pytest.raises(ValueError, match="does not fit the network") as error:
        weights.load(model, path)
    one_line(error, str(path), *parts)
    for name, value in values(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_another_variant_is_named(file):
    small = {**SMALL, "image_encoder": {"depths": DEPTHS, "widths": (4, 6, 8, 12)}}
    with pytest.raises(ValueError, match="Is it of another size") as error:
        models.build("convnext_b", weights=file, **small)
    one_line(error, "stage4")


def test_another_architecture(tmp_path):
    arrays = {f"blocks.{i}.attn.qkv.weight": np.ones((2, 2), np.float32) for i in range(9)}
    path = save(tmp_path / "model.safetensors", arrays)
    with pytest.raises(ValueError, match="holds no ConvNeXt in a known layout") as error:
        models.build("convnext_b", weights=path, **SMALL)
    one_line(error, "timm, Hugging Face", "blocks.0.attn.qkv.weight", "and 4 more")


def whole_network(tmp_path):
    """A checkpoint of transformers' UperNetForSemanticSegmentation, its names from a golden."""
    with np.load(TESTS / "golden" / "gradients.npz") as golden:
        shapes = json.loads(golden["shapes"].tobytes())
    arrays = DRAW["draw_weights"](shapes)
    return save(tmp_path / "model.safetensors", arrays), arrays


WHOLE = {
    "image_encoder": {"depths": (1, 1, 1, 1), "widths": (8, 12, 16, 24)},
    "channels": 8,
    "auxiliary_channels": 8,
}


def test_whole_network_of_other_classes_keeps_a_random_classifier(tmp_path):
    path, arrays = whole_network(tmp_path)
    with pytest.warns(UserWarning, match="knows 7 classes, the network 5") as warned:
        model = models.build("convnext_b", classes=5, weights=path, **WHOLE)
    assert sorted(str(w.message).split()[-4] for w in warned) == [
        "auxiliary/classifier",
        "head/classifier",
    ]
    ours = values(model)
    fuse = arrays["decode_head.fpn_bottleneck.conv.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(ours["decoder/fuse/conv/kernel"], fuse)
    statistics = arrays["auxiliary_head.convs.0.batch_norm.running_var"]
    np.testing.assert_array_equal(ours["auxiliary/block/norm/moving_variance"], statistics)
    assert ours["head/classifier/kernel"].shape == (8, 5)


def test_statistics_that_no_image_has_passed_are_told(tmp_path, recwarn):
    """As of averaged weights; a single norm that begins so, such as one that is unused, is none."""
    _, arrays = whole_network(tmp_path)
    fresh = {"running_mean": 0, "running_var": 1}
    means = [name for name in arrays if name.rpartition(".")[2] in fresh]
    for count in (1, len(means)):
        for name in means[:count]:
            arrays[name] = np.full_like(arrays[name], fresh[name.rpartition(".")[2]])
        models.build("convnext_b", weights=save(tmp_path / "model.safetensors", arrays), **WHOLE)
        assert len(recwarn) == (count == len(means))
    assert "Every batch norm of the weights has mean 0 and variance 1" in str(recwarn[0].message)


def test_norms_that_close_a_network_are_told(arrays, tmp_path):
    arrays["stages.1.downsample.0.weight"][1:] = 0
    weights.load(models.build("convnext_b", **SMALL), save(tmp_path / "open.safetensors", arrays))
    arrays["stages.1.downsample.0.weight"][:] = 0
    with pytest.warns(UserWarning, match="multiply everything by 0 in image_encoder/.*gamma"):
        models.build("convnext_b", weights=save(tmp_path / "closed.safetensors", arrays), **SMALL)


def test_whole_network_needs_the_same_network(tmp_path):
    path, _ = whole_network(tmp_path)
    with pytest.raises(ValueError, match="does not fit the network") as error:
        models.build("twin", depth_encoder=ENCODER, weights=path, **WHOLE)
    one_line(error, "lacks depth_encoder/")


def test_published_names():
    assert weights.published(convnext("base")) == "timm/convnext_base.fb_in22k"
    assert weights.published(convnext("small")) == "timm/convnext_small.fb_in1k"
    assert weights.published(convnext("xlarge")) == "timm/convnext_xlarge.fb_in22k"
    with pytest.raises(ValueError, match="No published weights for"):
        weights.published(ConvNeXt(DEPTHS, WIDTHS, name="image_encoder"))


def test_imagenet_asks_for_each_encoders_published_weights(monkeypatch, arrays):
    asked = []

    def load(source):
        asked.append(source)
        return arrays

    monkeypatch.setattr(weights.checkpoints, "load", load)
    monkeypatch.setattr(weights, "published", lambda encoder: f"timm/{encoder.name}")
    model = models.build("twin", depth_encoder=ENCODER, weights="imagenet", **SMALL)
    assert asked == ["timm/image_encoder", "timm/depth_encoder"]
    assert_encoder(model, arrays)


def test_every_encoder_by_name_has_published_weights():
    of_a_resnet = {"resnet50_s16", "resnet50_s16_transnorm", "resnet50c_s8"}
    without = {name for name in models.ENCODERS if name.startswith(("resnet14", "speck"))}
    assert set(models.ENCODERS) - set(weights.PUBLISHED) == of_a_resnet | without
    for name in without:
        with pytest.raises(ValueError, match="No published weights for the sizes of"):
            weights.published(models.ENCODERS[name]())
    for name in of_a_resnet:
        assert weights.published(models.ENCODERS[name]()) == weights.PUBLISHED[name.split("_")[0]]
