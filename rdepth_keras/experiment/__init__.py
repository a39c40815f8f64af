"""An experiment: everything that decides a run's result."""

from rdepth_keras.experiment.augmentation import Augmentation
from rdepth_keras.experiment.record import differences, from_json, in_words, to_dict, to_json
from rdepth_keras.experiment.resources import Economy, Resources
from rdepth_keras.experiment.settings import Experiment, Optimizers
from rdepth_keras.experiment.training import Choice, Sampling, Training

__all__ = [
    "Augmentation",
    "Choice",
    "Economy",
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
