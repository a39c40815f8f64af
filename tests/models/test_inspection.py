"""What inspection shows is what the decoder sees."""

from functools import partial

import keras
import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.models.encoders.resnet import ResNet

IMAGE, DEPTH = (partial(ResNet, (1, 1, 1, 1), width) for width in (4, 6))
SIZES = {"decoder": "segformer", "channels": 8, "auxiliary_channels": None, "drop_path": 0}


@pytest.mark.parametrize("fusion", ["gated", "concat", None])
def test_inspection_shows_what_the_decoder_sees(fusion):
    arguments = SIZES if fusion is None else {**SIZES, "depth_encoder": DEPTH, "fusion": fusion}
    model = models.build("convnext_b", image_encoder=IMAGE, taps=True, **arguments)
    inside = models.inspection(model)
    assert [v.path for v in inside.variables] == [
        v.path for v in model.variables if v.path in {w.path for w in inside.variables}
    ]
    inputs = {"image": np.random.default_rng(0).integers(0, 256, (1, 40, 33, 3)).astype(np.uint8)}
    if fusion:
        inputs["depth"] = np.random.default_rng(1).random((1, 40, 33, 1), np.float32)
    both = keras.Model(model.input, {"inside": inside.output, "model": model.output})
    found = both.predict(inputs, verbose=0)
    found, expected = found["inside"], found["model"]["features"]
    for ours, theirs in zip(found["features"], expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert ("gates" in found) == (fusion == "gated")
    for gate, features in zip(found.get("gates", ()), expected, strict=fusion == "gated"):
        assert gate.shape == features.shape and 0 < gate.min() < gate.max() < 1


def test_a_network_of_two_students_is_not_inspected():
    encoders = dict.fromkeys(("source_encoder", "target_encoder"), IMAGE)
    model = models.build("st_dasegnet_segformer", **encoders, channels=8)
    with pytest.raises(ValueError, match="are: source_encoder, target_encoder"):
        models.inspection(model)
