"""By what means a network is trained: a part of an experiment that decides none of its numbers."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from rdepth_keras.atomic import check_local
from rdepth_keras.experiment.checks import check
from rdepth_keras.train.loop import Cadence

MOST_WORKERS = 256  # threads; more than the cores of a machine gain nothing


@dataclass(frozen=True)
class Economy:
    """What saves time or memory.

    Attributes:
        cache: folder for a raw copy of the tiles that training reads, the target's as well, which
            costs no decoding.
        workers: threads that make batches.
        accumulate: equal parts in which the encoders take a batch, in turn: less memory.
        remat: computes the encoders' branches twice instead of keeping them: less memory.
    """

    cache: str | None = None
    workers: int = 2
    accumulate: int = 1
    remat: bool = False

    def __post_init__(self):
        check("cache", '""', self.cache != "", "the name of a folder")
        if self.cache is not None:
            check_local(self.cache)
        for name in ("workers", "accumulate"):
            check(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        few = self.workers <= MOST_WORKERS
        check("workers", self.workers, few, f"at most {MOST_WORKERS}: one a core is enough")


@dataclass(frozen=True)
class Resources:
    """Whatever may differ between two runs that give the same numbers.

    Attributes:
        data_dir: where the data lie; None is TFDS's own folder.
        economy: what saves time or memory.
        cadence: how often the run logs and saves.
    """

    data_dir: str | None = None
    economy: Annotated[Economy, tyro.conf.OmitArgPrefixes] = Economy()
    cadence: Annotated[Cadence, tyro.conf.OmitArgPrefixes] = Cadence()

    def __post_init__(self):
        check("data_dir", '""', self.data_dir != "", "the name of a folder")
        if self.data_dir is not None:
            check_local(self.data_dir)
