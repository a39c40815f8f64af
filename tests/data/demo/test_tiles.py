import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import FrozenInstanceError
from multiprocessing import get_context

import numpy as np
import pytest

from rdepth_keras.data.demo.tiles import (
    BORDER_SHARE,
    CANAL_SHARE,
    DOMAINS,
    RURAL_SHARES,
    SETTINGS,
    SPLITS,
    URBAN_SHARES,
    DemoTiles,
    is_due,
)
from rdepth_keras.labels import IGNORE, LOVEDA

DOZEN = 12
CLASS = {name: number for number, name in enumerate(LOVEDA.names)}


@pytest.fixture(scope="module")
def dozens():
    """The first twelve training tiles of both domains, full size."""
    return {domain: list(DemoTiles(domain, "train", count=DOZEN)) for domain in DOMAINS}


def equal(one, other):
    return one["id"] == other["id"] and all(
        np.array_equal(one[name], other[name]) for name in ("image", "depth", "label")
    )


# The contract of tiles


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("size", [32, 65, 96])
def test_shapes_types_and_ranges(domain, size):
    for tile in DemoTiles(domain, "val", count=4, size=size):
        assert tile["image"].shape == (size, size, 3)
        assert tile["image"].dtype == np.uint8
        assert tile["depth"].shape == (size, size, 1)
        assert tile["depth"].dtype == np.float32
        assert tile["depth"].min() == 0
        assert tile["depth"].max() == 1
        assert tile["label"].shape == (size, size)
        assert tile["label"].dtype == np.uint8
        assert set(np.unique(tile["label"])) <= {*range(len(LOVEDA)), IGNORE}
        assert isinstance(tile["id"], int)


def test_depth_is_as_if_stored_in_16_bits(dozens):
    steps = dozens["urban"][0]["depth"].astype(np.float64) * 65535
    np.testing.assert_allclose(steps, np.round(steps), atol=0.01)


def test_length_labelled_and_frozen():
    tiles = DemoTiles("urban", "train", count=7, size=32)
    assert len(tiles) == 7
    assert len(list(tiles)) == 7
    assert tiles.labelled is True
    with pytest.raises(FrozenInstanceError):
        tiles.seed = 1


@pytest.mark.parametrize("domain", DOMAINS)
def test_same_tile_in_any_order_and_in_another_process(domain):
    tiles = DemoTiles(domain, "train", count=9, size=64)
    order = [8, 3, 0]
    here = {index: tiles[index] for index in reversed(order)}
    assert tiles == pickle.loads(pickle.dumps(tiles))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = list(pool.map(tiles.__getitem__, order))
    for index, tile in zip(order, there, strict=True):
        assert equal(tile, here[index])


def test_count_changes_no_tile():
    one, other = (DemoTiles("rural", "test", count=count, size=48)[2] for count in (3, 30))
    assert equal(one, other)


def test_seed_split_domain_and_index_give_other_tiles():
    variants = [
        DemoTiles(domain, split, seed=seed, count=2, size=128)[index]
        for domain in DOMAINS
        for split in SPLITS
        for seed in (0, 1)
        for index in (0, 1)
    ]
    assert len({tile["image"].tobytes() for tile in variants}) == len(variants)
    assert len({tile["label"].tobytes() for tile in variants}) == len(variants)


def test_ids_are_unique_over_domains_and_splits():
    tilesets = [DemoTiles(d, s, count=100_000, size=32) for d in DOMAINS for s in SPLITS]
    ids = {tiles[index]["id"] for tiles in tilesets for index in (0, 1, 99_999)}
    assert len(ids) == 3 * len(tilesets)


@pytest.mark.parametrize("index", [5, -6, 100])
def test_index_out_of_range(index):
    with pytest.raises(IndexError, match=rf"5 demo tiles; received index {index}"):
        DemoTiles("urban", "val", count=5)[index]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"domain": "Urban"}, "domain .* one of urban, rural; received 'Urban'"),
        ({"split": "validation"}, "split .* one of train, val, test; received 'validation'"),
        ({"size": 31}, "size .* 32 pixels or more; received 31"),
        ({"count": 0}, "count .* received 0"),
        ({"count": 100_001}, "count .* 1..100000; received 100001"),
        ({"seed": -1}, "seed .* 0 or more; received -1"),
    ],
)
def test_bad_settings_are_named_in_one_line(settings, message):
    with pytest.raises(ValueError, match=message) as error:
        DemoTiles(**{"domain": "urban", "split": "train", **settings})
    assert "\n" not in str(error.value)


# What the tiles show


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_dozen_tiles_show_every_class(dozens, domain):
    label = np.stack([tile["label"] for tile in dozens[domain]])
    shares = np.bincount(label.ravel(), minlength=256)[: len(LOVEDA)] / label.size
    assert (shares > 0.004).all(), dict(zip(LOVEDA.names, shares, strict=True))


def test_shares_of_classes_lean_as_in_loveda(dozens):
    shares = {}
    for domain, tiles in dozens.items():
        label = np.stack([tile["label"] for tile in tiles])
        shares[domain] = np.bincount(label.ravel(), minlength=256)[: len(LOVEDA)] / label.size
    urban, rural = shares["urban"], shares["rural"]
    assert urban.argmax() == CLASS["background"]
    assert rural.argmax() == CLASS["agriculture"]
    for name in ("building", "road"):
        assert urban[CLASS[name]] > 3 * rural[CLASS[name]]
    for name in ("agriculture", "forest"):
        assert rural[CLASS[name]] > 2 * urban[CLASS[name]]


def test_domains_differ_in_colour(dozens):
    """Urban tiles are bluer than their green, rural ones far less; both are bright."""
    mean = {d: np.mean([t["image"].mean((0, 1)) for t in tiles], 0) for d, tiles in dozens.items()}
    assert mean["urban"][2] / mean["urban"][1] > mean["rural"][2] / mean["rural"][1] + 0.15
    assert all(90 < colors.mean() < 170 for colors in mean.values())


def test_domains_do_not_overlap_in_scale_or_sun():
    urban, rural = SETTINGS["urban"], SETTINGS["rural"]
    assert urban.metres_per_pixel[1] < rural.metres_per_pixel[0]
    assert urban.bearing_degrees[1] < rural.bearing_degrees[0]


@pytest.mark.parametrize("domain", DOMAINS)
def test_depth_tells_roofs_and_crowns_from_the_ground(dozens, domain):
    """In nearly every tile, whatever its unknown scale and tilt."""
    for high, low in (("building", "road"), ("forest", "agriculture"), ("forest", "road")):
        gaps = []
        for tile in dozens[domain]:
            one, other = (tile["depth"][tile["label"] == CLASS[n]] for n in (high, low))
            if min(len(one), len(other)) > 200:
                gaps.append(np.median(one) - np.median(other))
        assert len(gaps) >= 2
        assert np.mean(np.array(gaps) > 0) > 0.85, (high, low, gaps)


def test_some_tiles_have_a_black_border_without_data():
    tiles = DemoTiles("urban", "train", count=40, size=64)
    due = [index for index in range(40) if is_due(index, *BORDER_SHARE)]
    assert 1 <= len(due) <= 6
    for index in (*due, due[0] + 1):
        missing = tiles[index]["label"] == IGNORE
        assert missing.any() == (index in due)
        assert missing.mean() < 0.2
        assert (tiles[index]["image"][missing] == 0).all()


@pytest.mark.parametrize(
    ("share", "prime"),
    [*URBAN_SHARES.values(), *RURAL_SHARES.values(), CANAL_SHARE, BORDER_SHARE],
)
def test_rare_things_come_at_steady_intervals(share, prime):
    due = np.flatnonzero([is_due(index, share, prime) for index in range(3000)])
    assert len(due) == pytest.approx(3000 * share, abs=10)
    assert np.diff(due).max() <= 2.6 / share
