"""Self-training with labels that are sure within their own class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rdepth_keras.adapt.outputs import check_settings
from rdepth_keras.adapt.pseudo_labels import class_balanced
from rdepth_keras.adapt.self_training import LabelledRounds


@dataclass(frozen=True)
class CBST(LabelledRounds):
    """Class-balanced self-training: of every class the surest pixels are its pseudo-labels.

    Zou, Yu, Vijaya Kumar, Wang, "Unsupervised Domain Adaptation for Semantic Segmentation via
    Class-Balanced Self-Training", ECCV 2018; settings as in the CBST of LoveDA's release
    (Junjue-Wang/LoveDA, CBST_train.py), which keeps the share of a class as it is. ::

        CE(source) + 0.5 CE(target, pseudo-labels)

    where a pixel's pseudo-label is the class of the largest p_c / t_c, if that is 1 or more, and
    t_c the confidence that ``share`` of the pixels guessed as c have.

    Departures: the authors' growing share, patches of rare classes and spatial priors are left out,
    as in the release; its softmax of the softmax, before thresholds are looked for, is taken once;
    every tile gets labels, also the last one of an odd number. The defaults are those towards rural
    tiles.

    Attributes:
        share: of the pixels guessed as a class, in all tiles, that become its pseudo-labels.
        sample: of a tile and class, every so-manieth pixel is looked at for the thresholds.
    """

    share: float = 0.1
    sample: int = 4

    def __post_init__(self):
        super().__post_init__()
        check_settings(self, "above 0, at most 1", lambda x: 0 < x <= 1, "share")
        check_settings(self, "at least 1", lambda x: x >= 1, "sample")

    def relabel(self, probabilities: Sequence[np.ndarray], step: int) -> Iterator[np.ndarray]:
        return class_balanced(probabilities, share=self.share, every=self.sample)
