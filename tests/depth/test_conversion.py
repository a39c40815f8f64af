import json

import pytest

from rdepth_keras.depth.conversion import encoder_arguments, network_arguments, read_config

BACKBONE = {"out_indices": [9, 10, 11, 12], "hidden_size": 768, "image_size": 518}


def write(path, **changes):
    config = {"model_type": "depth_anything", "backbone_config": BACKBONE} | changes
    path.write_text(json.dumps(config))
    return path


def test_defaults_are_filled_in(tmp_path):
    config = read_config(write(tmp_path / "config.json"))
    network, encoder = network_arguments(config), encoder_arguments(config)
    assert network["feature_keys"] == ["stage9", "stage10", "stage11", "stage12"]
    assert network["neck_hidden_dims"] == [48, 96, 192, 384]
    assert encoder["num_layers"] == 12
    assert encoder["intermediate_dim"] == 3072
    assert encoder["position_embedding_shape"] == (518, 518)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "dpt"}, "does not describe a Depth Anything model"),
        ({"depth_estimation_type": "metric"}, "metric checkpoint"),
        ({"backbone_config": {}}, "lacks or misstates"),
        ({"backbone_config": None}, "lacks or misstates"),
    ],
)
def test_other_configs_are_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        read_config(write(tmp_path / "config.json", **changes))


def test_damaged_files(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="no JSON file"):
        read_config(tmp_path / "config.json")
