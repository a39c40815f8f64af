import numpy as np
import pytest

from rdepth_keras.data.loveda.depth_report import class_depth, draw_sheet
from rdepth_keras.labels import IGNORE, LOVEDA

BUILDING, ROAD = LOVEDA.names.index("building"), LOVEDA.names.index("road")


def tile(seed: int = 0, labelled: bool = True):
    """Roofs at 0.8, roads at 0.2, a stripe without label."""
    random = np.random.default_rng(seed)
    label = np.full((32, 40), ROAD, np.uint8)
    label[:, :10] = BUILDING
    label[:4] = IGNORE
    depth = np.where(label == BUILDING, 0.8, 0.2) + random.normal(0, 0.03, label.shape)
    return {
        "id": seed,
        "image": random.integers(0, 256, (32, 40, 3), dtype=np.uint8),
        "depth": np.clip(depth, 0, 1).astype(np.float32)[..., None],
        "label": label if labelled else np.full_like(label, IGNORE),
    }


def test_moments_are_those_of_the_pixels():
    tiles = [tile(0), tile(1)]
    found = class_depth(tiles)
    for index in (BUILDING, ROAD):
        depth = np.concatenate([t["depth"][..., 0][t["label"] == index] for t in tiles])
        assert found.histograms[index].sum() == depth.size
        assert found.mean()[index] == pytest.approx(depth.mean(), abs=0.005)
        assert found.std()[index] == pytest.approx(depth.std(), abs=0.005)
    assert np.isnan(found.mean()[LOVEDA.names.index("water")])


def test_roofs_are_nearer_than_roads():
    found = class_depth([tile()])
    assert found.nearer("building", "road") == 1
    assert found.nearer("road", "building") == 0
    assert found.nearer("road", "road") == pytest.approx(0.5)
    assert "building              280  0.80" in str(found)


def test_nearer_equals_all_pairs():
    random = np.random.default_rng(2)
    one = tile()
    one["depth"] = random.uniform(0, 1, (32, 40, 1)).astype(np.float32)
    bins = np.minimum((one["depth"][..., 0] * 64).astype(int), 63)
    a, b = bins[one["label"] == BUILDING], bins[one["label"] == ROAD]
    pairs = (a[:, None] > b).mean() + 0.5 * (a[:, None] == b).mean()
    assert class_depth([one]).nearer("building", "road") == pytest.approx(pairs)


def test_the_sheet_shows_image_depth_and_histogram():
    sheet = draw_sheet([tile(0), tile(1, labelled=False)], side=64)
    assert sheet.shape == (128, 192, 3)
    histogram = sheet[:64, 128:].reshape(-1, 3).tolist()
    assert [255, 0, 0] in histogram  # building
    assert [255, 255, 0] in histogram  # road
    assert [128, 128, 128] in sheet[64:, 128:].reshape(-1, 3).tolist()
    assert sheet[20, 64 + 4, 0] > 180  # roofs are bright
    assert sheet[20, 64 + 50, 0] < 80
