"""The teacher against plain NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt.teacher import follow, pseudo_labels


def test_the_average_by_hand():
    """Decays 1/2, 2/3, 3/4, 3/4: the first teacher counts as much as the first params."""
    teacher, values = {"a": jnp.asarray([8.0])}, [4.0, 0.0, 12.0, 12.0]
    expected = 8.0
    for step, value in enumerate(values):
        teacher = follow(teacher, {"a": jnp.asarray([value]), "b": jnp.ones(2)}, step, 0.75)
        decay = min(1 - 1 / (step + 2), 0.75)
        expected = decay * expected + (1 - decay) * value
        assert teacher.keys() == {"a"}, "the teacher's own paths alone"
        assert float(teacher["a"][0]) == pytest.approx(expected)


def test_labels_and_the_share_of_sure_ones():
    probabilities = np.array([[[[0.7, 0.3], [0.1, 0.9]], [[0.5, 0.5], [0.95, 0.05]]]], np.float32)
    label, sure = pseudo_labels(jnp.log(probabilities), 0.9)
    assert label.dtype == jnp.uint8 and label.tolist() == [[[0, 1], [0, 0]]]
    assert float(sure) == pytest.approx(0.5)


def test_labels_from_half_precision():
    logits = jnp.zeros((2, 16, 12, 3), jnp.bfloat16).at[..., 2].set(9)
    label, sure = pseudo_labels(logits, 0.968)
    assert label.shape == (2, 16, 12) and (label == 2).all()
    assert sure.dtype == jnp.float32 and float(sure) == 1
