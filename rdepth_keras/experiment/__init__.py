"""An experiment: everything that decides a run's result, on one page."""

from rdepth_keras.experiment.augmentation import Augmentation
from rdepth_keras.experiment.record import differences, from_json, in_words, to_dict, to_json
from rdepth_keras.experiment.settings import (
    Choice,
    Experiment,
    Optimizers,
    Resources,
    Sampling,
    Training,
)

__all__ = [
    "Augmentation",
    "Choice",
    "Experiment",
    "Optimizers",
    "Resources",
    "Sampling",
    "Training",
    "differences",
    "from_json",
    "in_words",
    "to_dict",
    "to_json",
]
