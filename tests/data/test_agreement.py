"""Masks that do not belong to their pictures are told; those that do are not."""

import numpy as np
import pytest

from rdepth_keras.data.agreement import disagreement, explained
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
    return disagreement(list(map(explained, images, change(labels))))


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
    np.testing.assert_allclose(explained(image, label)[0], between / total, rtol=1e-3)


def test_tiles_that_tell_nothing():
    image, label = TILES["urban"][0]["image"], TILES["urban"][0]["label"]
    nothing = [
        explained(image[:60], label[:60]),
        explained(image, np.full_like(label, 3)),
        explained(image, np.full_like(label, 255)),
    ]
    assert not np.any(nothing) and disagreement(nothing) == disagreement([]) == ""


def test_ignored_pixels_explain_nothing():
    image, label = TILES["urban"][0]["image"].copy(), TILES["urban"][0]["label"].copy()
    label[:40] = 255
    before = explained(image, label)[0]
    other = np.where(label == 255, 255, 6 - label)  # the same regions by other names
    np.testing.assert_allclose(explained(image, other)[0], before)


def test_oblong_tiles():
    oblong = [explained(t["image"][:80], t["label"][:80]) for t in TILES["rural"]]
    turned = [explained(t["image"][:80], t["label"][79::-1]) for t in TILES["rural"]]
    assert disagreement(oblong) == "" and "upside down" in disagreement(turned)
