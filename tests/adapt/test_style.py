"""Amplitudes mixed, against NumPy's full transform; depth and labels stay."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras.adapt.method import SEGMENTER, Given
from rdepth_keras.adapt.style import SourceStyle, mix_amplitudes


def images():
    rng = np.random.default_rng(0)
    return rng.uniform(60, 190, (2, 2, 9, 12, 3)).astype(np.float32)


@pytest.mark.parametrize("band", [1.0, 0.5])
def test_amplitudes_by_numpys_whole_transform(band):
    (own, other), parts = images(), np.array([0.25, 1.0])
    found = np.asarray(
        mix_amplitudes(jnp.asarray(own), jnp.asarray(other), jnp.asarray(parts), band)
    )
    rows, columns = np.fft.fftfreq(9)[:, None], np.fft.fftfreq(12)[None]
    inside = (abs(rows) <= band / 2) & (abs(columns) <= band / 2)
    for new, image, style, part in zip(found, own, other, parts, strict=True):
        for channel in range(3):
            mine, theirs = np.fft.fft2(image[..., channel]), np.fft.fft2(style[..., channel])
            amplitude = abs(mine) + part * inside * (abs(theirs) - abs(mine))
            wanted = np.fft.ifft2(amplitude * np.exp(1j * np.angle(mine))).real
            np.testing.assert_allclose(new[..., channel], wanted.clip(0, 255), atol=2e-2)


def test_no_part_is_no_change_and_all_of_it_is_the_others_mean():
    own, other = map(jnp.asarray, images())
    same = mix_amplitudes(own, other, jnp.zeros(2), 1.0)
    np.testing.assert_allclose(same, own, atol=1e-3)
    found = mix_amplitudes(own, other, jnp.ones(2), 0.0)
    np.testing.assert_allclose(found.mean((1, 2)), other.mean((1, 2)), rtol=1e-3)


class Recorder:
    """A network that keeps what it is shown; its logits tell nothing."""

    model = keras.Model()

    def apply(self, params, buffers, inputs, key, statistics):
        self.seen = inputs
        return {"logits": jnp.zeros((*inputs["label"].shape, 3))}, buffers


@pytest.mark.proof
def test_the_network_sees_new_images_and_the_same_depth_and_labels():
    rng = np.random.default_rng(1)
    source = {
        "image": rng.integers(0, 255, (2, 16, 16, 3), np.uint8),
        "depth": rng.random((2, 16, 16, 1), np.float32),
        "label": rng.integers(0, 3, (2, 16, 16), np.uint8),
    }
    network = Recorder()
    method = SourceStyle(style_probability=1.0)
    assert not method.uses_target
    (phase,) = method.phases({SEGMENTER: network})
    given = Given(source, None, {SEGMENTER: {}}, {}, jax.random.key(0), jnp.asarray(0), 0.0)
    outcome = phase.loss({SEGMENTER: {}}, given)
    assert float(outcome.loss) == pytest.approx(np.log(3), rel=1e-4)
    for name in ("depth", "label"):
        assert network.seen[name] is source[name]
    moved = np.abs(np.asarray(network.seen["image"]) - source["image"]).mean((1, 2, 3))
    assert (moved > 1).all()


def test_a_batch_of_one_tile_has_no_other_style():
    image = jnp.zeros((1, 4, 4, 3))
    with pytest.raises(ValueError, match="use a batch size of at least 2"):
        SourceStyle()._restyled(image, jax.random.key(0))
    assert SourceStyle(style_probability=0.0)._restyled(image, jax.random.key(0)).shape == (
        1,
        4,
        4,
        3,
    )


@pytest.mark.parametrize("name", ["style_probability", "style_strength", "style_band"])
def test_settings_out_of_range(name):
    with pytest.raises(ValueError, match=f"{name} must be from 0 to 1; received -1"):
        SourceStyle(**{name: -1})
