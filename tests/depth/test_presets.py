"""The names a depth checkpoint is given by."""

import pytest

from rdepth_keras.depth.presets import PRESETS, find_checkpoint


def test_names_of_all_kinds(tmp_path):
    small = PRESETS["depth_anything_v2_small"]
    assert find_checkpoint("depth_anything_v2_small") is small
    found = find_checkpoint("depth-anything/Depth-Anything-V2-Small-hf")
    assert found.origin == small.repository and found.licence == "Apache-2.0"
    assert (
        find_checkpoint("LiheYoung/depth-anything-large-hf") == PRESETS["depth_anything_v1_large"]
    )
    own = find_checkpoint("someone/own-depth")
    assert own.origin == "someone/own-depth" and "own" in own.licence
    assert find_checkpoint(str(tmp_path)).origin == str(tmp_path)


@pytest.mark.parametrize(
    "name", ["depth_anything_v3", "./nowhere", "/no/where/at/all", "", "a/b/c"]
)
def test_what_is_none_of_them_lists_the_names(name):
    with pytest.raises(ValueError, match="no depth checkpoint: give one of") as refused:
        find_checkpoint(name)
    assert all(known in str(refused.value) for known in PRESETS)


def test_every_preset_can_be_had_as_a_folder_of_files():
    """From a repository in Hugging Face layout: its origin, or the one of the same weights."""
    for name, preset in PRESETS.items():
        assert (preset.repository or preset.origin).endswith("-hf"), name
