"""Checkpoint files and names -> arrays."""

import json
import pickle

import ml_dtypes
import numpy as np
import pytest
from huggingface_hub import errors
from safetensors.numpy import save_file

from rdepth_keras import checkpoints

ARRAYS = {
    "stem.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "stem.count": np.array([7], np.int64),
}


@pytest.fixture
def file(tmp_path):
    save_file(ARRAYS, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def assert_loaded(arrays):
    assert arrays.keys() == ARRAYS.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, ARRAYS[name])
        assert array.dtype == ARRAYS[name].dtype


def test_file_folder_and_text(file):
    for source in (file, str(file), file.parent, str(file.parent)):
        assert_loaded(checkpoints.load(source))


def test_the_fingerprint_is_that_of_the_bytes(file, tmp_path):
    told = checkpoints.fingerprint(file)
    assert told == checkpoints.fingerprint(str(file.parent)) and len(told) == 16
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert checkpoints.fingerprint(file) != told


def test_folder_of_several_files(tmp_path):
    for name in ARRAYS:
        save_file({name: ARRAYS[name]}, tmp_path / f"{name}.safetensors")
    index = {"weight_map": {name: f"{name}.safetensors" for name in ARRAYS}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert_loaded(checkpoints.load(tmp_path))


def test_an_array_that_several_files_hold_is_refused(tmp_path):
    """One of them may be of another version; which one counts nobody can tell."""
    test_folder_of_several_files(tmp_path)
    last, *others = sorted(ARRAYS, reverse=True)
    other = {others[0]: np.zeros(3, np.float32), last: ARRAYS[last]}
    save_file(other, tmp_path / f"{last}.safetensors")
    with pytest.raises(ValueError, match="another file of the same checkpoint holds") as error:
        checkpoints.load(tmp_path)
    one_line(error, f"{last}.safetensors", others[0], "Download all of them again")


def test_missing_files_of_several_are_named(tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}))
    save_file(ARRAYS, tmp_path / "1.safetensors")
    with pytest.raises(FileNotFoundError, match="not in its folder: 2.safetensors") as error:
        checkpoints.load(tmp_path)
    one_line(error, str(index), "Put them there")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 3}}', "\udcff"]
)
def test_a_broken_index_is_named(tmp_path, text):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(text, errors="surrogateescape")
    with pytest.raises(ValueError, match="damaged or no index") as error:
        checkpoints.load(tmp_path)
    one_line(error, str(index), "Download it again")


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ml_dtypes.bfloat16])
def test_floating_point_arrays_become_float32(tmp_path, dtype):
    save_file({"a": np.arange(4).astype(dtype)}, tmp_path / "a.safetensors")
    array = checkpoints.load(tmp_path / "a.safetensors")["a"]
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, np.arange(4))


def one_line(error, *parts):
    text = str(error.value)
    assert "\n" not in text
    for part in parts:
        assert part in text


@pytest.mark.parametrize("length", [0, 5, 40, -1])
def test_a_truncated_file_is_named(file, length):
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(ValueError, match="damaged") as error:
        checkpoints.load(file)
    one_line(error, str(file), "Download it again")


def test_a_whole_keras_model_is_no_file_of_weights(file):
    whole = file.with_suffix(".keras")
    whole.write_bytes(b"PK" + bytes(64))
    with pytest.raises(ValueError, match="whole Keras model") as error:
        checkpoints.load(whole)
    one_line(error, str(whole), "keras.saving.load_model")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pth", "model.pt", "last.ckpt"])
def test_pickles_are_refused_unopened(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(ARRAYS))
    for source in (tmp_path, tmp_path / name):
        with pytest.raises(ValueError, match="is a pickle, which can run any code") as error:
            checkpoints.load(source)
        one_line(error, name, "safetensors")


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no model.safetensors"):
        checkpoints.load(tmp_path)
    for source in ("here.safetensors", "./a/b", "/a/b", "base", tmp_path / "a"):
        with pytest.raises(FileNotFoundError, match="no such file or folder") as error:
            checkpoints.load(source)
        one_line(error, str(source))


def test_hub_name_comes_from_the_cache_first(file, monkeypatch):
    asked = []

    def download(name, filename, local_files_only=False):
        asked.append((name, filename, local_files_only))
        return str(file)

    monkeypatch.setattr(checkpoints, "hf_hub_download", download)
    assert_loaded(checkpoints.load("timm/convnext_base.fb_in22k"))
    assert asked == [("timm/convnext_base.fb_in22k", "model.safetensors", True)]


def missing(kind):
    """An error of the hub, which wants the answer of a server that was never asked."""
    return kind.__new__(kind, "no")


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        (
            errors.LocalEntryNotFoundError,
            ["cannot be reached", "https://huggingface.co/a/b/resolve/main/model.safetensors"],
        ),
        (errors.RepositoryNotFoundError, ["no public repository of that name"]),
        (errors.EntryNotFoundError, ["holds no model.safetensors", "timm"]),
        (ConnectionError, ["Cannot download a/b", "give the path of that file"]),
    ],
)
def test_hub_errors_say_what_to_do(monkeypatch, kind, parts):
    def download(name, filename, local_files_only=False):
        raise errors.LocalEntryNotFoundError("no") if local_files_only else missing(kind)

    monkeypatch.setattr(checkpoints, "hf_hub_download", download)
    with pytest.raises(FileNotFoundError) as error:
        checkpoints.load("a/b")
    one_line(error, *parts)


def test_offline_hub(monkeypatch):
    """The real client, told that there is no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match="give the path of that file") as error:
        checkpoints.load("timm/no_such_network.at_all")
    one_line(error)
