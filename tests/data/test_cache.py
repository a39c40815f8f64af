"""The raw cache: equal tiles, views, checked by content, atomic."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from rdepth_keras.data.cache import CachedTiles, cache_bytes, cached, fingerprint
from rdepth_keras.data.pipeline import training_batches
from rdepth_keras.data.transforms import RandomCrop, RandomFlips


@dataclass(frozen=True)
class Drawn:
    """Random tiles of any size; with ``odd``, the last one is larger."""

    count: int = 5
    size: tuple[int, int] = (40, 24)
    seed: int = 0
    odd: bool = False
    labelled: bool = True

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, index])
        height, width = self.size
        height += self.odd and index == self.count - 1
        return {
            "id": 100 - index,
            "image": rng.integers(0, 256, (height, width, 3), np.uint8),
            "depth": rng.random((height, width, 1), np.float32),
            "label": rng.integers(0, 7, (height, width), np.uint8),
        }


def quiet(_):
    pass


def assert_equal(one, other):
    assert len(one) == len(other) and one.labelled == other.labelled
    for index in range(len(one)):
        left, right = one[index], other[index]
        assert left["id"] == right["id"]
        for name in ("image", "depth", "label"):
            assert left[name].dtype == right[name].dtype
            np.testing.assert_array_equal(left[name], right[name])


def test_equal_to_its_source(tmp_path):
    tiles = Drawn()
    cache = cached(tiles, tmp_path, quiet)
    assert_equal(cache, tiles)
    assert_equal(pickle.loads(pickle.dumps(cache)), tiles)
    with pytest.raises(IndexError):
        cache[5]


def test_pickles_the_path_alone(tmp_path):
    cache = cached(Drawn(), tmp_path, quiet)
    cache[0]
    assert len(pickle.dumps(cache)) < 1000


def test_a_tile_is_a_view_of_the_file(tmp_path):
    cache = cached(Drawn(), tmp_path, quiet)
    tile = cache[1]
    for name in ("image", "depth", "label"):
        assert np.shares_memory(tile[name], cache._records)
        assert not tile[name].flags.writeable


def test_a_crop_touches_its_own_place_only(tmp_path):
    """Pages elsewhere are poisoned by slicing: the crop reads nothing but its rows."""
    seen = []

    class Watched(np.ndarray):
        def __getitem__(self, place):
            seen.append(place)
            return super().__getitem__(place)

    tile = cached(Drawn(), tmp_path, quiet)[0]
    spied = {**tile, **{n: tile[n].view(Watched) for n in ("image", "depth", "label")}}
    RandomCrop(16, redraws=0).random_map(spied, np.random.default_rng(0))
    assert len(seen) == 3
    assert all(p[0].stop - p[0].start == 16 == p[1].stop - p[1].start for p in seen)


def test_the_same_batches(tmp_path):
    def batches(tiles):
        steps = [RandomCrop(16), RandomFlips()]
        iterator = training_batches([tiles], steps, batch_size=2, seed=3)
        return [next(iterator) for _ in range(4)]

    pairs = zip(batches(Drawn()), batches(cached(Drawn(), tmp_path, quiet)), strict=True)
    for one, other in pairs:
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_announced_first_and_written_once(tmp_path):
    said = []

    def notify(line):
        assert not list(tmp_path.rglob("*.npy"))
        said.append(line)

    cache = cached(Drawn(), tmp_path / "new", notify)
    before = cache.path.stat()
    assert len(said) == 1 and "5 tiles" in said[0]
    assert 0 <= before.st_size - cache_bytes(Drawn()) < 4096
    again = cached(Drawn(), tmp_path / "new", said.append)
    assert len(said) == 2 and said[1].startswith("Checking the cache") and again == cache
    assert again.path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"count": 4}, {"labelled": False}, {"size": (24, 40)}]
)
def test_other_tiles_have_another_cache(change, tmp_path):
    other = replace(Drawn(), **change)
    assert fingerprint(other) != fingerprint(Drawn())
    first = cached(Drawn(), tmp_path, quiet)
    assert_equal(cached(other, tmp_path, quiet), other)
    assert_equal(first, Drawn())


@pytest.mark.parametrize("count", [1, 5])
def test_a_renamed_cache_is_never_taken(tmp_path, count):
    """Of tiles of the same size and number: nothing but the identity tells them apart."""
    tiles, others, said = Drawn(count), Drawn(count, seed=1), []
    path = cached(tiles, tmp_path, quiet).path
    cached(others, tmp_path, quiet).path.replace(path)
    assert_equal(cached(tiles, tmp_path, said.append), tiles)
    assert f"{count} of {count} tiles; perhaps it is that of others, renamed" in said[1]


def test_a_damaged_cache_is_written_anew(tmp_path):
    path = cached(Drawn(), tmp_path, quiet).path
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    cuts = [0, 1, 7, 100, len(good) - 1, *rng.integers(0, len(good), 8)]
    damaged = [good[:cut] for cut in cuts] + [good + b"x", b"PK\3\4" + good[4:]]
    header = good.index(b"\n") + 1
    for place in rng.integers(0, header, 40):
        damaged.append(
            good[:place] + bytes([good[place] ^ 1 << rng.integers(8)]) + good[place + 1 :]
        )
    for data in damaged:
        path.write_bytes(data)
        assert_equal(cached(Drawn(), tmp_path, quiet), Drawn())
    assert path.read_bytes() == good


def test_changed_contents_are_told_and_written_anew(tmp_path):
    """Bits of images, depths, labels, ids and checksums; none is served."""
    path = cached(Drawn(), tmp_path, quiet).path
    good = path.read_bytes()
    record, header = (len(good) - good.index(b"\n") - 1) // 5, good.index(b"\n") + 1
    starts = [0, 8, 16, 16 + 3 * 960, 16 + 7 * 960]  # checksum, id, image, depth, label
    places = [header + number * record + start for number in (0, 4) for start in starts]
    rng = np.random.default_rng(0)
    for place in [*places, len(good) - 1, *rng.integers(header, len(good), 40)]:
        data, said = bytearray(good), []
        data[place] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        assert_equal(cached(Drawn(), tmp_path, said.append), Drawn())
        assert path.read_bytes() == good
        assert [line.split()[0] for line in said] == ["Checking", "The", "Writing"]
        assert "1 of 5 tiles" in said[1]


def test_a_cut_cache_is_refused_when_opened_alone(tmp_path):
    path = cached(Drawn(), tmp_path, quiet).path
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match="delete it"):
        CachedTiles(path)[0]


def test_one_size_only(tmp_path):
    with pytest.raises(ValueError, match=r"tile 96 has 41x24 pixels, the first one 40x24"):
        cached(Drawn(odd=True), tmp_path, quiet)
    assert not list(tmp_path.iterdir())


def test_no_room(tmp_path, monkeypatch):
    from rdepth_keras.data import cache

    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: type("", (), {"free": 10}))
    with pytest.raises(OSError, match="has 0.00 GiB free"):
        cached(Drawn(), tmp_path, quiet)
    assert not list(tmp_path.iterdir())


def test_interrupted_writing_leaves_nothing(tmp_path, monkeypatch):
    from rdepth_keras.data import cache

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_pack", full)
    with pytest.raises(OSError, match="No space"):
        cached(Drawn(), tmp_path, quiet)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_refused_before_a_tile_is_read(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match=r"file.* cannot be a folder .*another --cache folder"):
            cached((), folder, quiet)
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(PermissionError, match="Nothing may be written into .*--cache folder"):
        cached((), tmp_path, quiet)


@dataclass(frozen=True)
class Others(Drawn):
    """Tiles with an array that a cache would round, stretch or lose."""

    name: str = "image"
    change: Callable = np.asarray

    def __getitem__(self, index):
        tile = super().__getitem__(index)
        return {**tile, self.name: self.change(tile["image"])}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("image", lambda image: np.float32(image) / 255),
        ("image", lambda image: image[..., :1]),
        ("label", lambda image: image[..., 0].astype(np.int32)),
        ("depth", lambda image: image[..., :1] / 255),
        ("depth", lambda image: np.float32(image[:1, :, :1])),
        ("height", lambda image: image[..., 0]),
    ],
)
def test_arrays_that_a_cache_would_change_are_refused(name, change, tmp_path):
    with pytest.raises(ValueError, match=rf"A cache keeps .*{name}"):
        cached(Others(name=name, change=change), tmp_path, quiet)
    assert not list(tmp_path.iterdir())
