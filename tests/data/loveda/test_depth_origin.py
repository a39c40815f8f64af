"""A checkpoint is told from another one, wherever it lies."""

import shutil

from rdepth_keras.data.loveda.depth_origin import describe_origin


def test_a_name_is_itself():
    assert describe_origin("keras_hub:some") == {"origin": "keras_hub:some"}


def test_a_folder_is_its_configuration_and_weights(tmp_path):
    folder = tmp_path / "v1/hf"
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "README.md"):
        (folder / name).write_bytes(b"0" * 99)
    found = describe_origin(str(folder))
    assert found["origin"] == "hf" and len(found["checkpoint"]) == 16
    copy = shutil.copytree(folder, tmp_path / "v2/hf")
    (copy / "README.md").write_text("another")
    assert describe_origin(str(copy)) == found
    for name in ("config.json", "model.safetensors"):
        (copy / name).write_bytes(b"1" * 99)
        assert describe_origin(str(copy))["checkpoint"] != found["checkpoint"]
        (copy / name).write_bytes(b"0" * 99)
