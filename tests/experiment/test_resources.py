"""By what means: settings that cannot be are refused by their flags."""

import pytest

from rdepth_keras.experiment import Economy, Resources
from rdepth_keras.train.loop import Cadence


@pytest.mark.parametrize("name", ["workers", "accumulate"])
def test_impossible_economy(name):
    with pytest.raises(ValueError, match=f"--{name} must be at least 1; received 0"):
        Economy(**{name: 0})


def test_more_threads_than_any_machine_has_cores():
    assert Economy(workers=256).workers == 256
    with pytest.raises(ValueError, match="--workers must be at most 256: .* received 100000"):
        Economy(workers=100_000)


@pytest.mark.parametrize("name", ["log_steps", "checkpoint_steps", "keep_checkpoints"])
def test_impossible_cadence(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1; received 0"):
        Cadence(**{name: 0})


def test_a_folder_without_a_name():
    """It would lie wherever the command is typed."""
    with pytest.raises(ValueError, match="--cache must be the name of a folder"):
        Economy(cache="")
    with pytest.raises(ValueError, match="--data-dir must be the name of a folder"):
        Resources(data_dir="")
