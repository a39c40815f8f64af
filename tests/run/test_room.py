"""A disk that will not do for the first checkpoint."""

import shutil
from types import SimpleNamespace

import pytest

from rdepth_keras.run.room import check_room


def test_the_room_is_that_of_the_nearest_folder(tmp_path, monkeypatch):
    asked = []

    def disk_usage(folder):
        asked.append(folder)
        return SimpleNamespace(free=3 * 2**20)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    check_room(tmp_path / "deep" / "run", 2 * 2**20)
    assert asked == [tmp_path]
    with pytest.raises(OSError, match=r"needs 5\.0 MiB, but .* has 3\.0 MiB free"):
        check_room(tmp_path, 5 * 2**20)
