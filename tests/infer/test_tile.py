"""Windows and views against a plain NumPy loop, and properties."""

from functools import partial

import cv2
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.infer import VIEWS, Inference, predict_tile, tile_predictor
from rdepth_keras.infer.forward import fill_up
from rdepth_keras.network import Network
from rdepth_keras.tiling import blend_weights, windows
from rdepth_keras.train.devices import local_mesh, replicated

pytestmark = pytest.mark.usefixtures("strict_ranks")


def local(batch):
    """A 'network' that looks at places: not invariant to turning or mirroring."""
    image = batch["image"].astype(jnp.float32)
    ramp = jnp.linspace(0, 1, image.shape[2])[None, None, :, None]
    return jnp.concatenate([image[..., :1] * ramp, image[..., 1:2], batch["depth"]], -1)


def tile(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "image": jnp.asarray(rng.integers(0, 256, (height, width, 3)), jnp.uint8),
        "depth": jnp.asarray(rng.random((height, width, 1)), jnp.float32),
    }


def predict(forward, inputs, inference):
    """:func:`predict_tile`, compiled as in production."""
    return jax.jit(lambda arrays: predict_tile(forward, arrays, inference))(inputs)


def numpy_slide(inputs, inference):
    height, width, _ = inputs["image"].shape
    window = inference.window_pixels or max(height, width)
    grid = windows(height, width, window, inference.stride_pixels or window)
    weight = blend_weights(grid.window_height, grid.window_width, inference.blend)[..., None]
    total, share = np.zeros((height, width, 3)), np.zeros((height, width, 1))
    for top, left in zip(grid.tops, grid.lefts, strict=True):
        place = np.s_[top : top + grid.window_height, left : left + grid.window_width]
        scores = local({name: array[place][None] for name, array in inputs.items()})[0]
        if inference.average == "probabilities":
            scores = jax.nn.softmax(scores)
        total[place] += np.asarray(scores) * weight
        share[place] += weight
    return total / share


def numpy_predict(inputs, inference):
    total = 0
    for turns, mirror in VIEWS[inference.views]:
        seen = {name: jnp.rot90(array, turns) for name, array in inputs.items()}
        seen = {name: array[:, ::-1] if mirror else array for name, array in seen.items()}
        scores = numpy_slide(seen, inference)
        total = total + np.rot90(scores[:, ::-1] if mirror else scores, -turns)
    return total / len(VIEWS[inference.views])


@pytest.mark.parametrize("views", ["one", "flips", "symmetries"])
@pytest.mark.parametrize(
    ("size", "options"),
    [
        ((24, 24), {"window_pixels": 12}),
        ((23, 31), {"window_pixels": 16, "stride_pixels": 9, "blend": "tapered"}),
        ((17, 9), {"window_pixels": None}),
        ((20, 14), {"window_pixels": 8, "average": "probabilities", "window_batch": 3}),
    ],
)
def test_numpy_twin(views, size, options):
    inference = Inference(**options, views=views)
    inputs = tile(*size)
    ours = predict(local, inputs, inference)
    np.testing.assert_allclose(ours, numpy_predict(inputs, inference), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("blend", ["uniform", "tapered"])
def test_a_constant_network_stays_constant_at_any_size(blend):
    rng = np.random.default_rng(1)
    for _ in range(4):
        height, width, window = (int(value) for value in rng.integers(1, 40, 3))
        stride = int(rng.integers(1, window + 1))
        inference = Inference(window, stride, blend=blend, views="symmetries")
        scores = predict(
            lambda batch: jnp.broadcast_to(jnp.array([1.0, -2.0]), (*batch["image"].shape[:3], 2)),
            tile(height, width),
            inference,
        )
        np.testing.assert_allclose(scores, np.full((height, width, 2), [1.0, -2.0]), rtol=1e-5)


def test_the_eight_symmetries_commute_with_turning_the_tile():
    inference = Inference(window_pixels=None, views="symmetries")
    inputs = tile(12, 12)
    turned = {name: jnp.rot90(array) for name, array in inputs.items()}
    np.testing.assert_allclose(
        predict(local, turned, inference),
        jnp.rot90(predict(local, inputs, inference)),
        rtol=1e-4,
        atol=1e-3,
    )


@pytest.mark.parametrize("depth", [(12, 10, 1), (10, 12, 1), (12, 12), ()])
def test_a_depth_of_another_size_is_refused(depth):
    inputs = {**tile(12, 12), "depth": jnp.zeros(depth)}
    with pytest.raises(
        ValueError, match=r"one height and width; received depth .*, image \(12, 12, 3\)"
    ):
        predict(local, inputs, Inference(window_pixels=None))


def test_a_tile_on_another_scale_is_refused_before_it_is_predicted():
    predict = tile_predictor(network(), Inference())
    with pytest.raises(ValueError, match="image of tile 1 must be RGB 0..255"):
        predict({}, {}, {"id": 1, "image": colours(8, 8)["image"] / 255})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"depth": np.ones((8, 8, 1), np.float32) * 255},
            "The depth must be floats in .* 255 to 2",
        ),
        ({"image": np.ones((8, 8, 3), np.float32)}, "The image must be RGB 0..255"),
        ({"depth": np.ma.masked_all((8, 8, 1), np.float32)}, "The depth must be whole"),
    ],
)
def test_arrays_on_another_scale_are_refused_before_they_are_predicted(change, said):
    """Without a tile's number, and inside a compiled function as far as they are there."""
    for inputs in (tile(8, 8), {name: np.asarray(x) for name, x in tile(8, 8).items()}):
        predict_tile(local, inputs, Inference())
        attempt = partial(predict_tile, local, {**inputs, **change}, Inference())
        for look in (attempt, jax.jit(attempt)):
            with pytest.raises(ValueError, match=said):
                look()


@pytest.mark.parametrize("views", ["one", "symmetries"])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda found: found[0],
        lambda found: found[:1],
        lambda found: found[:, :1],
        lambda found: found[:, :1, :1],
        lambda found: found[..., 0],
        lambda found: found[:, ::4, ::4],
    ],
)
def test_scores_that_are_not_those_of_all_windows_are_refused(wrong, views):
    """Those of one window, row or place would be spread over them all."""
    with pytest.raises(ValueError, match=r"each pixel of its windows \(4, 8, 8\); received sco"):
        predict(lambda batch: wrong(local(batch)), tile(16, 16), Inference(8, views=views))


@pytest.mark.parametrize("views", ["one", "symmetries"])
def test_numbers_of_64_bits_change_nothing(views):
    inference = Inference(8, 5, views=views, scales=(0.5, 1.0), average="probabilities")
    usual, inputs = predict(local, tile(20, 13), inference), tile(20, 13)
    with jax.enable_x64(True):
        found = predict(local, inputs, inference)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, usual, rtol=1e-5, atol=1e-6)


def test_scales_are_the_mean_of_resized_tiles():
    inputs, scales = tile(20, 13), (0.5, 1.0, 1.75)
    expected = 0
    for height, width in ((10, 6), (20, 13), (35, 23)):
        seen = {
            name: jax.image.resize(
                array.astype(jnp.float32), (height, width, array.shape[-1]), "linear"
            )
            for name, array in inputs.items()
        }
        scores = numpy_predict(seen, Inference(window_pixels=9, views="flips"))
        expected = expected + jax.image.resize(scores, (20, 13, 3), "linear") / 3
    ours = predict(local, inputs, Inference(window_pixels=9, views="flips", scales=scales))
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-3)


def test_probabilities_sum_to_one_whatever_is_averaged():
    inference = Inference(
        7, 3, "tapered", average="probabilities", views="symmetries", scales=(0.4, 1.3)
    )
    found = predict(local, tile(15, 11), inference)
    np.testing.assert_allclose(found.sum(-1), np.ones((15, 11)), rtol=1e-5)


def test_more_views_cost_time_not_memory():
    """Eight views need what one needs, and at most one more accumulator."""
    inputs = {
        name: jax.ShapeDtypeStruct(array.shape, array.dtype) for name, array in tile(96, 96).items()
    }

    def bytes_needed(views):
        inference = Inference(window_pixels=48, views=views)
        program = jax.jit(lambda arrays: predict_tile(local, arrays, inference))
        return program.lower(inputs).compile().memory_analysis().temp_size_in_bytes

    accumulator = 96 * 96 * 3 * 4
    assert accumulator <= bytes_needed("symmetries") <= bytes_needed("one") + accumulator


@pytest.mark.parametrize("average", ["logits", "probabilities"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_prediction_that_is_not_finite_names_its_tile(average, value):
    ours = network()
    predict = tile_predictor(ours, Inference(window_pixels=32, average=average))
    params, buffers = ours.init()
    image = np.full((32, 40, 3), 9, np.uint8)
    with jax.numpy_rank_promotion("allow"):  # Keras's layers rely on it
        assert predict(params, buffers, {"id": 8, "image": image}).shape == (32, 40, 3)
        name = next(name for name in params if name.endswith("bias"))
        broken = {**params, name: params[name].at[1].set(value)}
        with pytest.raises(FloatingPointError, match="tile 8 is not finite"):
            predict(broken, buffers, {"id": 8, "image": image})


def network() -> Network:
    """A convolution that sees its neighbours, of an image alone."""
    inputs = keras.Input((None, None, 3), name="image")
    outputs = keras.layers.Conv2D(3, 3, padding="same")(keras.layers.Rescaling(1 / 255)(inputs))
    return Network(keras.Model({"image": inputs}, outputs))


def test_a_network_with_taps_is_refused():
    ours = network()
    model = keras.Model(
        ours.model.input, {"logits": ours.model.output, "features": ours.model.input["image"]}
    )
    with pytest.raises(ValueError, match=r"alone, .* are logits, features: build it without taps"):
        tile_predictor(Network(model), Inference())


def colours(*size: int):
    rng = np.random.default_rng(0)
    return {"id": 1, "image": rng.integers(0, 256, (*size, 3)).astype(np.uint8)}


@pytest.mark.parametrize("size", [(1, 1), (7, 50), (31, 32)])
def test_tiles_below_what_networks_take(size):
    """The predictor repeats the tile's edges up to 32 pixels."""
    ours, tile = network(), colours(*size)
    margins = [(0, max(32 - side, 0)) for side in size]
    filled = np.pad(tile["image"], [*margins, (0, 0)], mode="edge")
    with jax.numpy_rank_promotion("allow"):  # Keras's layers rely on it
        found = tile_predictor(ours, Inference(window_pixels=512))(*ours.init(), tile)
        expected = jax.jit(lambda image: ours.model({"image": image}))(filled[None])[0]
    np.testing.assert_allclose(found, expected[: size[0], : size[1]], rtol=1e-4, atol=1e-5)


def test_a_real_network_refuses_what_is_filled_up_for_it():
    encoder = {"depths": (1, 1, 1, 1), "widths": (4, 4, 4, 4)}
    ours = Network(models.build("convnext_b", image_encoder=encoder, channels=4))
    batch = {"image": jnp.zeros((1, 7, 50, 3), jnp.uint8)}

    def forward(batch):
        return ours.apply(*ours.init(), batch)[0]

    with jax.numpy_rank_promotion("allow"):  # Keras's layers rely on it
        assert jax.eval_shape(partial(fill_up, forward), batch).shape == (1, 7, 50, 7)
        with pytest.raises(ValueError, match="32"):
            jax.eval_shape(forward, batch)


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (64, 64), (33, 32)])
@pytest.mark.parametrize("seen", [(32, 32), (20, 32)])
def test_scores_of_another_size_than_the_windows_are_refused(size, seen):
    """One score for a whole window would be broadcast over it, a larger map be cut."""
    batch = {"image": jnp.zeros((2, *seen, 3), jnp.uint8)}
    with pytest.raises(ValueError, match=r"each pixel of its windows \(2, 32, 32\); received sc"):
        fill_up(lambda _: jnp.zeros((2, *size, 7)), batch)


@pytest.mark.parametrize("window_batch", [1, 4])
def test_many_devices_share_the_windows(window_batch):
    """Three windows do not split evenly over two devices; what fills them up leaves no trace."""
    assert jax.device_count() == 2, "tests run on two CPU devices"
    ours, tile = network(), colours(32, 96)
    predict = tile_predictor(ours, Inference(window_pixels=32, window_batch=window_batch))
    one, many = ours.init(), jax.device_put(ours.init(), replicated(local_mesh()))
    with jax.numpy_rank_promotion("allow"):
        np.testing.assert_allclose(predict(*many, tile), predict(*one, tile), rtol=1e-4, atol=1e-5)


def border_changes(label, side):
    """How much likelier a class changes across the borders of windows than elsewhere."""
    changes = sum((np.diff(label, axis=axis) != 0).mean(1 - axis) for axis in (0, 1))
    borders = np.arange(side, len(label), side) - 1
    return changes[borders].mean() / np.delete(changes, borders).mean()


def test_seamless_windows_show_no_borders():
    """A network that sees everything relative to its window contradicts itself across them."""

    def contrary(batch):
        mean = batch["depth"].mean((1, 2), keepdims=True)
        return jnp.concatenate([batch["depth"], jnp.broadcast_to(mean, batch["depth"].shape)], -1)

    noise = np.random.default_rng(0).random((768, 768), np.float32)
    inputs = {"depth": cv2.GaussianBlur(noise, (0, 0), 6)[..., None]}
    hard = Inference(window_pixels=32)
    shown = [
        border_changes(np.asarray(predict(contrary, inputs, inference)).argmax(-1), 32)
        for inference in (hard, hard.seamless())
    ]
    assert shown[0] > 2 and shown[1] < 1.1, shown
