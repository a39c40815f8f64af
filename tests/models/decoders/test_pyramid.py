"""Pyramid pooling: what goes into it. Its numbers are held by tests/parity."""

import jax
import numpy as np

from rdepth_keras.models.decoders.pyramid import Pyramid


def test_boxes_of_any_number_on_any_size():
    layer = Pyramid(5, bins=(1, 4), name="pyramid")
    layer.build((None, None, None, 3))
    for size in ((7, 9), (2, 1)):
        x = jax.ShapeDtypeStruct((2, *size, 3), np.float32)
        assert jax.eval_shape(layer, x).shape == layer.compute_output_shape(x.shape)
    shapes = {v.path: v.shape for v in layer.variables if v.path.endswith("kernel")}
    assert shapes == {
        "pyramid/pyramid1/conv/kernel": (3, 5),
        "pyramid/pyramid4/conv/kernel": (3, 5),
        "pyramid/bottleneck/conv/kernel": (3, 3, 3 + 2 * 5, 5),
    }
    assert Pyramid.from_config(layer.get_config()).bins == (1, 4)
