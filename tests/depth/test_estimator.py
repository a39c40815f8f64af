import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rdepth_keras.depth import estimator

HERE = Path(__file__).parent
TOLERANCE = 1e-4  # of the output's range
needs_keras_hub = pytest.mark.skipif(
    importlib.util.find_spec("keras_hub") is None, reason="KerasHub (extra `prepare`) is missing"
)


@pytest.fixture(scope="module")
def golden():
    return np.load(HERE / "golden.npz")


@pytest.fixture(scope="module")
def found(tmp_path_factory, mutations):
    """What the estimator makes of the small checkpoint, in a process of its own."""
    folder = tmp_path_factory.mktemp("depth")
    subprocess.run([sys.executable, HERE / "make_checkpoint.py", folder / "checkpoint"], check=True)
    command = [sys.executable, HERE / "run_estimator.py", folder / "checkpoint"]
    done = subprocess.run(
        [*command, folder / "out.npz", str(mutations)], capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return np.load(folder / "out.npz", allow_pickle=True)


@needs_keras_hub
@pytest.mark.parametrize("size", ["98x98", "70x112", "126x84"])
def test_depth_equals_transformers(found, golden, size):
    """At the size the position embedding was learnt for, and at others, not square."""
    expected = golden[f"depth_{size}"]
    error = np.abs(found[f"depth_{size}"] - expected).max() / np.ptp(expected)
    assert error < TOLERANCE


@needs_keras_hub
def test_depth_is_brought_back_to_the_image(found, golden):
    expected = golden["resized"]
    assert found["resized"].shape == expected.shape
    assert np.abs(found["resized"] - expected).max() < TOLERANCE * np.ptp(expected)
    assert found["whole"].shape == (100, 333)
    assert found["whole"].dtype == np.float32


@needs_keras_hub
def test_an_image_does_not_see_its_batch(found):
    np.testing.assert_allclose(found["second"], found["depth_98x98"], atol=1e-5)


@needs_keras_hub
def test_bfloat16_is_near_and_another_cache(found, golden):
    expected = golden["depth_98x98"]
    assert np.abs(found["bfloat16"] - expected).max() < 0.05 * np.ptp(expected)
    assert len(np.unique(found["bfloat16"])) > 2000  # the last layers are finer than bfloat16
    assert found["bfloat16_fingerprint"] != found["fingerprint"]


@needs_keras_hub
def test_weights_that_do_not_fit_are_named(found):
    said = found["said"].item()
    assert "lacks head.conv2.bias" in said["missing"]
    assert "no place for, first head.conv9.bias" in said["left over"]
    assert "neck.convs.1.weight has the shape (3, 3, 7, 8)" in said["misshapen"]
    assert "head.conv3.bias" in said["not finite"]


@needs_keras_hub
def test_damaged_files_are_refused_or_count_as_another_network(found):
    """A changed weight cannot be told from another weight, but never shares a cache."""
    for said in found["mutants"]:
        assert said == "same" or "model.safetensors" in said or said.startswith("loaded ")
        assert said != f"loaded {found['fingerprint']}"
    assert sum("model.safetensors" in said for said in found["mutants"]) > 0.2 * len(
        found["mutants"]
    )


def test_another_wiring_of_the_same_weights_is_another_network():
    def backbone(keys=("stage3", "stage6"), head_in_index=-1, apply_layernorm=True):
        encoder = SimpleNamespace(apply_layernorm=apply_layernorm)
        return SimpleNamespace(
            variables=[], feature_keys=keys, head_in_index=head_in_index, image_encoder=encoder
        )

    found = [backbone(), backbone(("stage2", "stage6")), backbone(head_in_index=0)]
    found.append(backbone(apply_layernorm=False))
    assert len({estimator.DepthEstimator(one).fingerprint for one in found}) == 4
    again = backbone(["stage6", "stage3"])  # any order is the same network
    assert estimator.DepthEstimator(again).fingerprint == (
        estimator.DepthEstimator(backbone()).fingerprint
    )


def make_golden():
    spec = importlib.util.spec_from_file_location("make_golden", HERE / "make_golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("size", make_golden().IMAGES)
def test_preprocessing_equals_transformers(golden, size):
    pytest.importorskip("PIL")
    from rdepth_keras.depth.estimator import prepare

    pixels = prepare(make_golden().image(*size))
    name = "{}x{}".format(*size)
    np.testing.assert_array_equal(pixels.shape[:2], golden[f"size_{name}"])
    np.testing.assert_allclose(pixels[::37, ::41], golden[f"pixels_{name}"], atol=1e-5)


def test_published_input_size():
    from rdepth_keras.depth.estimator import input_size

    assert input_size(480, 640) == (518, 686)  # COCO 000000039769
    assert input_size(1024, 1024) == (518, 518)
    assert input_size(1, 4000)[0] == 14


@pytest.mark.parametrize(
    "size", [(1600, 20000), (20000, 1600), (400, 9000), (4000, 5000), (9, 99999)]
)
def test_a_long_scene_as_a_whole_is_a_view_of_bounded_size(size):
    from rdepth_keras.depth.estimator import input_size

    height, width = input_size(*size)
    assert height % 14 == width % 14 == 0
    assert height * width <= 2.1 * 518**2
    assert abs(np.log((height / width) / (size[0] / size[1]))) < 0.1 or min(height, width) == 14


def test_only_rgb_images():
    from rdepth_keras.depth.estimator import prepare

    with pytest.raises(ValueError, match="height, width, 3"):
        prepare(np.zeros((8, 8), np.uint8))


@pytest.mark.skipif(importlib.util.find_spec("keras_hub") is not None, reason="KerasHub is here")
def test_without_keras_hub_the_remedy_is_named(tmp_path):
    from rdepth_keras.depth.estimator import load_estimator

    with pytest.raises(ImportError, match=r"pip install 'rdepth_keras\[prepare\]'"):
        load_estimator(tmp_path)


def test_offline_the_remedy_is_a_folder(monkeypatch):
    """Whatever KerasHub raises where there is no network."""

    class Backbone:
        @staticmethod
        def from_preset(preset, dtype):
            raise ConnectionError("HTTPSConnectionPool(host='www.kaggle.com'): no route\nmore")

    hub = SimpleNamespace(models=SimpleNamespace(DepthAnythingBackbone=Backbone))
    monkeypatch.setattr(estimator, "_import_keras_hub", lambda: hub)
    with pytest.raises(FileNotFoundError) as refused:
        estimator.load_estimator("keras_hub:depth_anything_v2_small")
    said = str(refused.value)
    assert "weights of depth_anything_v2_small cannot be fetched (HTTPSConnection" in said
    assert "config.json and model.safetensors of https://huggingface.co/depth-anything/" in said
    assert "give that folder instead of the name" in said and "\n" not in said


def test_offline_a_hub_name_has_the_same_remedy(monkeypatch):
    monkeypatch.setattr(estimator, "_import_keras_hub", lambda: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match=r"someone/own-depth/tree/main .* that folder"):
        estimator.load_estimator("someone/own-depth")
