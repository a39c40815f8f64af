import os

import numpy as np
import pytest

from rdepth_keras.depth.normalise import quantise
from rdepth_keras.depth.store import DepthCache

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.integers(0, 256, (20, 24, 3), dtype=np.uint8)
DEPTH = quantise(RANDOM.normal(10, 3, (20, 24)).astype(np.float32))


@pytest.fixture
def cache(tmp_path):
    return DepthCache(tmp_path, "weights")


def test_what_is_put_comes_back(cache):
    key = cache.key(IMAGE)
    assert cache.get(key) is None
    cache.put(key, DEPTH)
    found = cache.get(key)
    np.testing.assert_array_equal(found.values, DEPTH.values)
    assert (found.minimum, found.maximum) == (DEPTH.minimum, DEPTH.maximum)


def test_keys_tell_images_and_networks_apart(cache, tmp_path):
    other = IMAGE.copy()
    other[3, 4, 1] ^= 1
    keys = {cache.key(IMAGE), cache.key(other), cache.key(IMAGE.reshape(24, 20, 3))}
    assert len(keys) == 3
    cache.put(cache.key(IMAGE), DEPTH)
    assert DepthCache(tmp_path, "other weights").get(cache.key(IMAGE)) is None


def test_damaged_files_count_as_absent(cache, tmp_path, mutations):
    """Seeded changes: what comes back is nothing, or exactly what was stored."""
    cache.put("key", DEPTH)
    path = tmp_path / "weights/key.npz"
    data = path.read_bytes()
    for seed in range(mutations):
        random = np.random.default_rng(seed)
        mutant = bytearray(data)
        for position in random.integers(0, len(data), random.integers(1, 5)):
            mutant[position] = random.integers(0, 256)
        path.write_bytes(mutant[: random.integers(len(data))] if seed % 5 == 0 else mutant)
        found = cache.get("key")
        if found is not None:
            np.testing.assert_array_equal(found.values, DEPTH.values)
            assert (found.minimum, found.maximum) == (DEPTH.minimum, DEPTH.maximum)
    cache.put("key", DEPTH)
    assert cache.get("key") is not None


def test_a_failed_write_leaves_the_cache_good(cache, tmp_path, monkeypatch):
    cache.put("old", DEPTH)

    def full(*arguments, **names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match=r"cannot be written \(No space left on device\); free"):
        cache.put("new", DEPTH)
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["old.npz"]
    assert cache.get("old") is not None
    assert cache.get("new") is None


def test_a_place_that_is_no_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file/weights cannot be written"):
        DepthCache(tmp_path / "file", "weights")


def test_what_a_killed_process_left_is_removed_once_it_is_old(tmp_path):
    DepthCache(tmp_path, "weights")
    for name, age in {".young.partial": 0, ".old.partial": 7200}.items():
        path = tmp_path / "weights" / name
        path.write_bytes(b"half")
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    DepthCache(tmp_path, "weights")
    assert [path.name for path in (tmp_path / "weights").iterdir()] == [".young.partial"]
