"""By what means: settings that cannot be are refused by their flags."""

import pytest

from rdepth_keras.experiment import Economy
from rdepth_keras.train.loop import Cadence


@pytest.mark.parametrize("name", ["workers", "accumulate"])
def test_impossible_economy(name):
    with pytest.raises(ValueError, match=f"--{name} must be at least 1; received 0"):
        Economy(**{name: 0})


@pytest.mark.parametrize("name", ["log_steps", "checkpoint_steps", "keep_checkpoints"])
def test_impossible_cadence(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1; received 0"):
        Cadence(**{name: 0})
