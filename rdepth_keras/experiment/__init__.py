"""An experiment: everything that decides a run's result, on one page."""

from rdepth_keras.experiment.record import differences, from_json, to_dict, to_json
from rdepth_keras.experiment.settings import (
    Augmentation,
    Demo,
    Direction,
    Experiment,
    Segmenter,
)

__all__ = [
    "Augmentation",
    "Demo",
    "Direction",
    "Experiment",
    "Segmenter",
    "differences",
    "from_json",
    "to_dict",
    "to_json",
]
