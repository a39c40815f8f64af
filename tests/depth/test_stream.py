import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rdepth_keras.depth.store import DepthCache
from rdepth_keras.depth.stream import map_ahead, stream_depth

pytest.importorskip("PIL")
SIZES = [(20, 30)] * 5 + [(30, 20)] * 2 + [(20, 30)]
IMAGES = [np.full((*size, 3), 20 * i, np.uint8) for i, size in enumerate(SIZES)]


class Estimator:
    """Stands in for the network: depth that tells image and place, and counts its batches."""

    def __init__(self, fail_at: int | None = None):
        self.batches, self.fail_at = [], fail_at

    def estimate(self, inputs, size):
        if len(self.batches) == self.fail_at:
            raise KeyboardInterrupt
        self.batches.append([round(float(x[0, 0, 0] * 0.229 * 255 + 0.485 * 255)) for x in inputs])
        ramp = np.arange(size[0] * size[1], dtype=np.float32).reshape(size)
        return np.stack([ramp + x.mean() for x in inputs])


def run(estimator, cache, **options):
    readers = [lambda image=image: image for image in IMAGES]
    return list(stream_depth(estimator, cache, readers, **options))


def test_order_batches_and_sizes(tmp_path):
    estimator = Estimator()
    depths = run(estimator, DepthCache(tmp_path, "a"), batch_size=3)
    assert [depth.values.shape for depth in depths] == SIZES
    # runs of one size, the last of a run filled up with its last image
    assert estimator.batches == [[0, 20, 40], [60, 80, 80], [100, 120, 120], [140, 140, 140]]
    minima = [depth.minimum for depth in depths]
    assert minima == sorted(minima)


def test_a_second_run_asks_the_network_nothing(tmp_path):
    cache, again = DepthCache(tmp_path, "a"), Estimator()
    first = run(Estimator(), cache, batch_size=2)
    second = run(again, cache, batch_size=2)
    assert again.batches == []
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        assert (one.minimum, one.maximum) == (other.minimum, other.maximum)


def test_after_a_kill_the_same_batches_are_formed(tmp_path):
    whole = Estimator()
    expected = run(whole, DepthCache(tmp_path, "undisturbed"), batch_size=3)
    cache = DepthCache(tmp_path, "killed")
    with pytest.raises(KeyboardInterrupt):
        run(Estimator(fail_at=2), cache, batch_size=3)
    (tmp_path / "killed" / f"{cache.key(IMAGES[4])}.npz").unlink()  # killed within a batch
    rest = Estimator()
    found = run(rest, cache, batch_size=3)
    assert rest.batches == whole.batches[1:]
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        assert one.minimum == other.minimum


def test_lazy(tmp_path):
    """Taking one result reads a bounded number of images."""
    read = []

    def reader(number):
        read.append(number)
        return IMAGES[0] + np.uint8(number)

    readers = [lambda number=number: reader(number) for number in range(100)]
    stream = stream_depth(Estimator(), DepthCache(tmp_path, "a"), readers, batch_size=2, workers=2)
    next(stream)
    assert len(read) < 20
    stream.close()


def test_an_error_of_a_reader_comes_through(tmp_path):
    def bad():
        raise ValueError("12.png: truncated")

    readers = [lambda: IMAGES[0], bad]
    with pytest.raises(ValueError, match=r"12.png: truncated"):
        list(stream_depth(Estimator(), DepthCache(tmp_path, "a"), readers))


def test_map_ahead_keeps_order_and_runs_in_threads():
    with ThreadPoolExecutor(3) as pool:
        names = list(map_ahead(pool, lambda i: (i, threading.get_ident()), range(20), ahead=4))
    assert [i for i, _ in names] == list(range(20))
    assert threading.get_ident() not in {name for _, name in names}
