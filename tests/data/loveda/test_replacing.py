"""What is prepared survives an attempt to prepare it again, whatever ends that."""

import pytest

from rdepth_keras.data.loveda.prepared import prepared_configs
from rdepth_keras.data.loveda.replacing import replacing


def write(folder, text):
    folder.mkdir(parents=True)
    for name in ("dataset_info.json", "metadata.json"):
        (folder / name).write_text(text)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "loveda_rdepth/own/1.0.0"
    write(folder, "old")
    return folder


def test_the_new_replaces_the_old(folder, tmp_path):
    with replacing(tmp_path, "own", anew=True):
        assert not folder.exists() and prepared_configs(tmp_path) == ()
        write(folder, "new")
    assert (folder / "metadata.json").read_text() == "new"
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_old_comes_back(folder, tmp_path, error):
    with pytest.raises(error), replacing(tmp_path, "own", anew=True):
        raise error
    assert (folder / "metadata.json").read_text() == "old"
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("finished", [False, True])
def test_after_a_kill(folder, tmp_path, finished):
    folder.rename(folder.with_name("1.0.0.before"))
    if finished:
        write(folder, "new")
    with replacing(tmp_path, "own", anew=False):
        assert (folder / "metadata.json").read_text() == ("new" if finished else "old")
    assert list(folder.parent.iterdir()) == [folder]


def refuse(tmp_path, *files):
    """What TFDS does where the builder refuses."""
    for file in ("loveda_rdepth/.config/metadata.json", *files):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("")
    (tmp_path / "loveda_rdepth/own").mkdir(exist_ok=True)
    raise ValueError("refused")


def fail(tmp_path, *files):
    with (
        pytest.raises(ValueError, match="refused"),
        replacing(tmp_path, "own", anew=False),
    ):
        refuse(tmp_path, *files)


def test_no_empty_folder_stays_of_what_is_refused(tmp_path):
    fail(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_others_prepare_stays(tmp_path):
    """At the same time, or before."""
    fail(tmp_path, "loveda_rdepth/other/1.0.0.incompleteX/a.array_record")
    assert list(tmp_path.rglob("*.array_record"))
    assert not (tmp_path / "loveda_rdepth/own").exists()
    (tmp_path / "loveda_rdepth/own").mkdir()
    fail(tmp_path)
    assert (tmp_path / "loveda_rdepth/own").is_dir()
