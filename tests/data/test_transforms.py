"""Random transforms: image, depth and label move together."""

from functools import partial

import cv2
import numpy as np
import pytest

from rdepth_keras.data.transforms import (
    IMAGENET_MEAN,
    Photometric,
    RandomCrop,
    RandomFlips,
    RandomRotation,
    RandomScale,
    _is_mixed,
    pad,
    rotate,
)


def tile(height=40, width=48):
    """Label, depth and red channel say the same, so that they can be held against each other."""
    label = (np.arange(height)[:, None] // 8 + np.arange(width) // 8).astype(np.uint8) % 7
    image = np.stack([label * 30, label * 0 + 5, 255 - label * 30], -1)
    return {
        "id": 1,
        "image": image,
        "depth": (label / 6).astype(np.float32)[..., None],
        "label": label,
    }


def assert_together(moved, tolerance=0.0):
    labelled = moved["label"] != 255
    expected = moved["label"][labelled]
    close = np.abs(moved["depth"][..., 0][labelled] * 6 - expected) <= 1e-5
    assert close.mean() >= 1 - tolerance
    close = np.abs(moved["image"][..., 0][labelled] / 30.0 - expected) <= 1e-5
    assert close.mean() >= 1 - tolerance


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        *((kind, {"probability": p}, "probability must be from 0 to 1")
          for kind in (RandomRotation, RandomFlips, Photometric)
          for p in (-0.1, 1.1, np.nan)),
        (RandomCrop, {"size_pixels": 0}, "size_pixels must be a whole number"),
        (RandomCrop, {"size_pixels": 8, "redraws": -1}, "redraws must be 0 or more"),
        (RandomCrop, {"size_pixels": 8, "largest_share": 75.0}, "largest_share must be from 0 to"),
        (RandomCrop, {"size_pixels": 8, "fill": (0.485, 0.456, 0.406)}, "fill must be three whole"),
        (RandomCrop, {"size_pixels": 8, "wanted_pixels": -1}, "wanted_pixels must be 0 or more"),
        (RandomRotation, {"largest_degrees": np.nan}, "largest_degrees must be from 0 to 180"),
        (RandomFlips, {"axes": ((5,),)}, "axes must be"),
        (RandomFlips, {"axes": ((),)}, "axes must be"),
        (RandomScale, {"smallest": 0.0}, "smallest must be above 0"),
        (RandomScale, {"smallest": 3.0, "largest": 2.0}, "at most largest"),
        (RandomScale, {"largest": np.nan}, "at most largest"),
        (RandomScale, {"largest": 80.0}, "largest must be at most 8"),
        (Photometric, {"brightness": -1.0}, "brightness must be"),
        (Photometric, {"contrast": 5.0}, "contrast must be"),
        (Photometric, {"saturation": np.nan}, "saturation must be"),
        (Photometric, {"hue": -3}, "hue must be"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(kind, settings, said):
    """They would be taken: a probability of NaN switches a transform off, silently."""
    with pytest.raises(ValueError, match=said):
        kind(**settings)


@pytest.mark.parametrize(
    "transform", [RandomCrop(24), RandomFlips(), RandomFlips(exclusive=True), RandomRotation(0.5)]
)
def test_joint_seeded_and_without_side_effects(transform):
    for seed in range(20):
        before = tile()
        moved = transform.random_map(before, np.random.default_rng(seed))
        again = transform.random_map(tile(), np.random.default_rng(seed))
        # A small rotation blends image and depth at class borders.
        assert_together(moved, tolerance=0.5 if isinstance(transform, RandomRotation) else 0.0)
        for name in ("image", "depth", "label"):
            np.testing.assert_array_equal(moved[name], again[name])
            np.testing.assert_array_equal(before[name], tile()[name])
            assert moved[name].dtype == before[name].dtype
            assert moved[name].shape[:2] == moved["label"].shape
        assert moved["depth"].ndim == 3 and moved["id"] == 1


def test_crops_are_drawn_again_while_one_class_dominates():
    dull = tile(64, 64)
    dull["label"][:] = 0
    dull["label"][:16, :16] = np.arange(16)[:, None] % 7
    draws = [
        RandomCrop(16, redraws).random_map(dull, np.random.default_rng(seed))["label"]
        for redraws in (0, 49)
        for seed in range(40)
    ]
    mixed = [np.bincount(label.ravel()).max() < 0.75 * label.size for label in draws]
    assert sum(mixed[40:]) > 2 * sum(mixed[:40])


def test_eleven_draws_as_in_mmsegmentation():
    """Its loop in plain words: a first draw, then up to ten looks, each followed by a draw."""
    dull = tile(64, 64)
    dull["label"][:] = 0
    dull["label"][60:, 60:] = 1
    dull["image"][..., 0] = np.arange(64)[:, None] + 64 * (np.arange(64) % 4)
    for seed in range(5):
        ours = RandomCrop(16).random_map(dull, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        places = [rng.integers(64 - 16 + 1, size=2) for _ in range(11)]
        top, left = places[10]  # 16 pixels of class 1 make no crop mixed enough
        theirs = dull["image"][top : top + 16, left : left + 16]
        np.testing.assert_array_equal(ours["image"], theirs)


def test_padding_with_a_colour():
    padded = RandomCrop(32, fill=IMAGENET_MEAN).random_map(tile(10, 9), np.random.default_rng(0))
    assert (padded["image"][10:] == (124, 116, 104)).all()
    assert (padded["image"][:, 9:] == (124, 116, 104)).all()
    np.testing.assert_array_equal(padded["image"][:10, :9], tile(10, 9)["image"])
    assert not padded["depth"][10:].any() and (padded["label"][10:] == 255).all()


def test_ignored_pixels_do_not_count_as_a_class():
    half = tile(32, 32)
    half["label"][:] = 3
    half["label"][:, 16:] = 255
    rng = np.random.default_rng(0)
    state = rng.bit_generator.state
    RandomCrop(32, redraws=4).random_map(half, rng)
    drawn = np.random.default_rng(0)
    drawn.bit_generator.state = state
    for _ in range(10):
        drawn.integers(1)
    assert rng.bit_generator.state == drawn.bit_generator.state, "it was drawn five times"


def is_mixed_in_plain_words(label, largest_share):
    counts = np.bincount(label[label != 255], minlength=2)
    return (counts > 0).sum() > 1 and counts.max() < largest_share * counts.sum()


@pytest.mark.parametrize("largest_share", [0.0, 0.3, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("ignored", [0, 20, 64])
def test_what_a_mixed_crop_is(largest_share, ignored):
    """Whatever the sparse look at one pixel in sixteen finds: it may see one class, or none."""
    rng = np.random.default_rng(ignored)
    seen = set()
    for classes in (1, 2, 3, 7) * 12:
        chances = rng.dirichlet(np.full(classes, 2.0))
        label = rng.choice(classes, (8, 8), p=chances).astype(np.uint8)
        label.flat[:ignored] = 255
        expected = is_mixed_in_plain_words(label, largest_share)
        assert _is_mixed(label, largest_share) == expected
        seen.add(bool(expected))
    assert len(seen) == 2 or largest_share == 0 or ignored == 64


@pytest.mark.parametrize("most", [47, 48, 49])
def test_the_largest_share_itself_is_too_much(most):
    label = np.repeat(np.uint8([0, 1]), [most, 64 - most]).reshape(8, 8)
    assert _is_mixed(label, 0.75) == (most < 48)


def test_small_tiles_are_padded_with_ignore():
    padded = pad(tile(10, 50), 32)
    assert padded["label"].shape == (32, 50)
    assert (padded["label"][10:] == 255).all() and not padded["image"][10:].any()
    assert RandomCrop(32).random_map(tile(10, 9), np.random.default_rng(0))["image"].shape == (
        32,
        32,
        3,
    )


def test_rotation_fills_with_zero_and_ignore():
    turned = rotate(tile(64, 64), 20)
    assert turned["label"][0, 0] == 255 and turned["image"][0, 0].tolist() == [0, 0, 0]
    assert turned["depth"][0, 0] == 0 and turned["label"][32, 32] != 255


def test_rotation_is_that_of_three_channels():
    """OpenCV makes four of them faster than three, and the same."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    matrix = cv2.getRotationMatrix2D((31.5, 31.5), 13.0, 1.0)
    np.testing.assert_array_equal(
        rotate({**tile(64, 64), "image": image}, 13.0)["image"],
        cv2.warpAffine(image, matrix, (64, 64)),
    )


def test_rotation_turns_counter_clockwise():
    spot = {name: np.zeros_like(value) for name, value in tile(65, 65).items() if name != "id"}
    spot["label"][30:35, 50:55] = 1
    rows, columns = np.nonzero(rotate({"id": 1, **spot}, 20)["label"] == 1)
    assert rows.mean() < 28 and columns.mean() > 45


@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0])
def test_scales_together(factor):
    scaled = RandomScale(factor, factor).random_map(tile(64, 96), np.random.default_rng(0))
    assert scaled["label"].shape == (round(64 * factor), round(96 * factor))
    assert scaled["depth"].shape == (*scaled["label"].shape, 1)
    assert_together(scaled, tolerance=0.6)


def test_photometric_changes_the_image_alone():
    before = tile()
    seen = []
    for seed in range(30):
        after = Photometric(0.5).random_map(before, np.random.default_rng(seed))
        assert after["depth"] is before["depth"] and after["label"] is before["label"]
        assert after["image"].dtype == np.uint8
        seen.append(int(np.abs(after["image"].astype(int) - before["image"]).mean()))
    assert 0 in seen and max(seen) > 10
    np.testing.assert_array_equal(before["image"], tile()["image"])


def test_photometric_of_floats():
    floats = {**tile(), "image": tile()["image"].astype(np.float32)}
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(Photometric(0).random_map(floats, rng)["image"], floats["image"])
    with pytest.raises(ValueError, match="changed of uint8 images; received float32"):
        Photometric(0.5).random_map(floats, rng)


def test_photometric_in_plain_words():
    """A shift, a factor on the saturation, a turn of the hue, a factor: of flipped pixels, too."""
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)[:, ::-1]
    rng = np.random.default_rng(5)
    random = [rng.random(), rng.uniform(-32, 32), rng.random(), rng.random(), rng.uniform(0.5, 1.5)]
    random += [rng.random(), rng.integers(-18, 19), rng.random(), rng.uniform(0.5, 1.5)]

    def cut(values):
        return np.clip(values, 0, 255).astype(np.uint8)

    def with_hsv(image, change):
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        return cv2.cvtColor(change(hsv), cv2.COLOR_HSV2RGB)

    assert random[2] >= 0.5, "contrast comes last"
    expected = cut(image.astype(np.float32) + random[1])
    factor, turn = np.float32([1, random[4], 1]), np.array([random[6], 0, 0])
    expected = with_hsv(expected, lambda hsv: cut(hsv * factor))
    expected = with_hsv(expected, lambda hsv: cut((hsv.astype(int) + turn) % (180, 256, 256)))
    expected = cut(expected * np.float32(random[8]))
    changed = Photometric(1.0).random_map({**tile(9, 7), "image": image}, np.random.default_rng(5))
    np.testing.assert_array_equal(changed["image"], expected)


def test_photometric_parts_do_what_they_say():
    grey = {**tile(), "image": np.full((8, 8, 3), 100, np.uint8)}
    brighter = Photometric(1.0, brightness=50, contrast=0, saturation=0, hue=0)
    shifts = {
        int(brighter.random_map(grey, np.random.default_rng(seed))["image"][0, 0, 0]) - 100
        for seed in range(60)
    }
    assert min(shifts) < -30 and max(shifts) > 30 and max(map(abs, shifts)) <= 51
    hue = Photometric(1.0, brightness=0, contrast=0, saturation=0.5, hue=18)
    coloured = hue.random_map(grey, np.random.default_rng(0))["image"]
    np.testing.assert_array_equal(coloured, grey["image"], err_msg="grey has no hue")


def test_quarter_turns_and_flips_reach_all_eight_symmetries():
    corner = tile(8, 8)
    corner["label"][:] = np.arange(64).reshape(8, 8)

    def both(seed):
        rng = np.random.default_rng(seed)
        return RandomFlips().random_map(RandomRotation(0.5).random_map(corner, rng), rng)

    seen = {both(seed)["label"].tobytes() for seed in range(400)}
    whole = {np.rot90(corner["label"], k).tobytes() for k in range(4)}
    whole |= {np.rot90(corner["label"][:, ::-1], k).tobytes() for k in range(4)}
    assert whole <= seen


def test_exactly_one_of_flips_and_quarter_turns():
    """With 0.75 one of three kinds, the quarter turns again with a quarter each."""
    corner = tile(8, 8)
    corner["label"][:] = np.arange(64).reshape(8, 8)
    transform = RandomFlips(0.75, ((1,), (0,)), exclusive=True)
    whole = corner["label"]
    wanted = {
        "none": (whole, 0.25 + 0.0625),
        "columns": (whole[:, ::-1], 0.25),
        "rows": (whole[::-1], 0.25),
        **{f"{k} turns": (np.rot90(whole, k), 0.0625) for k in (1, 2, 3)},
    }
    rng, draws = np.random.default_rng(0), 2000
    seen = [transform.random_map(corner, rng)["label"].tobytes() for _ in range(draws)]
    counts = {name: seen.count(label.tobytes()) for name, (label, _) in wanted.items()}
    assert sum(counts.values()) == draws, "and nothing else, such as a flip and a turn"
    for name, (_, share) in wanted.items():
        assert counts[name] / draws == pytest.approx(share, abs=0.04), name


def moves(tile):
    """All that moves or cuts, each with a draw that does."""
    rng = np.random.default_rng(0)
    drawn = (
        RandomScale(0.5, 0.6),
        RandomRotation(1.0),
        RandomFlips(1.0, ((1,),)),
        RandomFlips(1.0, exclusive=True),
        RandomCrop(16),
        RandomCrop(64),
    )
    yield from (partial(transform.random_map, tile, rng) for transform in drawn)
    yield from (partial(pad, tile, 64), partial(rotate, tile, 10))


@pytest.mark.parametrize("dtype", [bool, np.int64, np.int8])
def test_labels_that_cannot_hold_255_or_are_wider_are_refused(dtype):
    """What fills up a mask of true and false would be true."""
    for move in moves({**tile(), "label": tile()["label"].astype(dtype)}):
        with pytest.raises(ValueError, match="label must be uint8, with 255 for ignored; received"):
            move()


@pytest.mark.parametrize("name", ["image", "depth", "label"])
@pytest.mark.parametrize("part", [np.s_[::2, ::2], np.s_[:-1], np.s_[:, :-1]])
def test_arrays_of_several_sizes_are_refused(name, part):
    """A crop of a mask of half the size would show another place than that of its image."""
    for move in moves({**tile(), name: tile()[name][part]}):
        with pytest.raises(ValueError, match="of one height and width; received image"):
            move()
