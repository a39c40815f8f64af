"""Masks that do not belong to their pictures are told; those that do are not."""

import numpy as np
import pytest

from rdepth_keras.data.agreement import (
    depth_fit,
    half_drawn_masks,
    mask_fit,
    one_class_band,
    unfit_depths,
    unfit_masks,
)
from rdepth_keras.data.demo.tiles import DemoTiles

TILES = {
    domain: [DemoTiles(domain, "train", count=6, size=128)[place] for place in range(6)]
    for domain in ("urban", "rural")
}


def shifted(labels):
    return [np.roll(label, (20, 20), (0, 1)) for label in labels]


def each(change):
    return lambda labels: [change(label) for label in labels]


DAMAGE = {
    "They would fit upside down": each(np.flipud),
    "They would fit mirrored left to right": each(np.fliplr),
    "They would fit turned by 180 degrees": each(lambda label: np.rot90(label, 2)),
    "other pictures, shifted or turned": each(np.transpose),
    "masks do not fit": lambda labels: labels[1:] + labels[:1],
    "masks do not fit their pictures": shifted,
}


def judge(domain, change=list):
    images, labels = ([tile[kind] for tile in TILES[domain]] for kind in ("image", "label"))
    return unfit_masks(list(map(mask_fit, images, change(labels))))


@pytest.mark.parametrize("domain", TILES)
@pytest.mark.parametrize("words", DAMAGE)
def test_damage(domain, words):
    assert judge(domain) == ""
    assert words in judge(domain, DAMAGE[words])


def test_the_share_equals_sums_over_pixels():
    """Eta squared of whitened variables, pixel by pixel: their total variance is their number."""
    rng = np.random.default_rng(0)
    label = np.kron(rng.integers(0, 3, (4, 4)), np.ones((16, 16), int)).astype(np.uint8)
    image = (rng.normal(90, 20, (64, 64, 3)) + 30 * label[..., None]).clip(0, 255).astype(np.uint8)
    grey, features = image.astype(float).mean(-1), []
    padded, padded_grey = (
        np.pad(a, ((4, 4), (4, 4), (0, 0))[: a.ndim], "reflect")
        for a in (image.astype(float), grey)
    )
    for y in range(0, 64, 4):
        for x in range(0, 64, 4):
            window, own = padded[y : y + 9, x : x + 9], padded_grey[y : y + 9, x : x + 9]
            features.append([*window.mean((0, 1)), own.std()])
    centred = np.array(features) - np.mean(features, 0)
    inverse = np.linalg.inv(centred.T @ centred / len(centred) + 1e-3 * np.eye(4))
    classes = label[::4, ::4].ravel()
    means = np.array([centred[classes == train_id].mean(0) for train_id in classes])
    between = np.einsum("ni,ij,nj->", means, inverse, means)
    total = np.einsum("ni,ij,nj->", centred, inverse, centred)
    np.testing.assert_allclose(mask_fit(image, label)[0], between / total, rtol=1e-3)


def test_tiles_that_tell_nothing():
    image, label = TILES["urban"][0]["image"], TILES["urban"][0]["label"]
    nothing = [
        mask_fit(image[:60], label[:60]),
        mask_fit(image, np.full_like(label, 3)),
        mask_fit(image, np.full_like(label, 255)),
    ]
    assert not np.any(nothing) and unfit_masks(nothing) == unfit_masks([]) == ""


def test_ignored_pixels_explain_nothing():
    image, label = TILES["urban"][0]["image"].copy(), TILES["urban"][0]["label"].copy()
    label[:40] = 255
    before = mask_fit(image, label)[0]
    other = np.where(label == 255, 255, 6 - label)  # the same regions by other names
    np.testing.assert_allclose(mask_fit(image, other)[0], before)


def test_oblong_tiles():
    oblong = [mask_fit(t["image"][:80], t["label"][:80]) for t in TILES["rural"]]
    turned = [mask_fit(t["image"][:80], t["label"][79::-1]) for t in TILES["rural"]]
    assert unfit_masks(oblong) == "" and "upside down" in unfit_masks(turned)


DEPTH_DAMAGE = {
    "They would fit upside down": each(np.flipud),
    "They would fit mirrored left to right": each(np.fliplr),
    "other pictures, shifted or turned": lambda depths: depths[1:] + depths[:1],
    "depth maps do not fit their pictures": shifted,
}


@pytest.mark.parametrize("domain", TILES)
@pytest.mark.parametrize("words", DEPTH_DAMAGE)
def test_depth_of_other_pictures(domain, words):
    images, depths = ([tile[kind] for tile in TILES[domain]] for kind in ("image", "depth"))
    assert unfit_depths(list(map(depth_fit, images, depths))) == ""
    assert words in unfit_depths(list(map(depth_fit, images, DEPTH_DAMAGE[words](depths))))


def test_depth_that_tells_nothing():
    image, depth = TILES["urban"][0]["image"], TILES["urban"][0]["depth"]
    nothing = [depth_fit(image[:60], depth[:60]), depth_fit(image, np.zeros_like(depth))]
    assert not np.any(nothing) and unfit_depths(3 * nothing) == unfit_depths([]) == ""


def test_masks_that_are_drawn_over_their_pictures():
    colours = np.random.default_rng(0).integers(0, 256, (256, 3))
    fits = [
        mask_fit(
            (0.5 * tile["image"] + 0.5 * colours[tile["label"]]).astype(np.uint8), tile["label"]
        )
        for tile in TILES["rural"]
    ]
    assert "are masks drawn over them?" in unfit_masks(fits)


@pytest.mark.parametrize("domain", TILES)
@pytest.mark.parametrize("parts", [2, 3, 4, 5])
def test_many_classes_are_not_taken_for_drawings(domain, parts):
    """Of parcels, whose number alone makes masks explain much, turned ones as well."""
    masks = []
    for tile in TILES[domain]:
        side = np.arange(len(tile["label"])) * parts // len(tile["label"])
        masks.append(np.uint8(tile["label"] + 7 * (side[:, None] * parts + side)))
    images = [tile["image"] for tile in TILES[domain]]
    assert unfit_masks(list(map(mask_fit, images, masks))) == ""
    others = [mask[::-1] for mask in masks]
    assert "do not fit" in unfit_masks(list(map(mask_fit, images, others)))


def test_one_or_two_tiles_are_not_judged():
    fits = [mask_fit(t["image"], np.flipud(t["label"])) for t in TILES["rural"]]
    assert unfit_masks(fits[:2]) == "" != unfit_masks(fits)


def test_masks_that_nobody_drew_to_the_end_are_told():
    labels = [tile["label"].copy() for tile in TILES["rural"]]
    assert half_drawn_masks([one_class_band(label) for label in labels]) == ""
    for label in labels:
        label[64:] = 0
    told = half_drawn_masks([one_class_band(label) for label in labels])
    assert told.startswith(
        "6 of 6 masks are of one class along a side, 50% of their rows or columns"
    )
    for label in labels:
        label[64:] = 255
    assert half_drawn_masks([one_class_band(label) for label in labels]) == "", "they say so"
    assert one_class_band(np.zeros((128, 128), np.uint8)) == 0


def test_woods_and_fields_are_drawn():
    """They fill parts of many masks, up to other lines in each."""
    assert half_drawn_masks([0.5, 0.72, 0.9, 0.3]) == "" != half_drawn_masks([0.5, 0.51, 0.5, 0.0])
