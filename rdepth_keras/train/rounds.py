"""Rounds: in the middle of a run, the target's tiles get label maps of the present segmenter.

The label maps of a round are a folder of PNG files, named by the number of steps done, which is
whole or not there. So a run that is killed finds those of its last checkpoint again, between two
rounds and inside of one. Beside them stands whose they are and their digest, so that no others are
trained on.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import jax
import numpy as np

from rdepth_keras.adapt.method import SEGMENTER, Method
from rdepth_keras.arrays import Batches, Params, Tile, Tiles
from rdepth_keras.atomic import PARTIAL, write_bytes, write_text
from rdepth_keras.data.pipeline import Relabelled, label_path
from rdepth_keras.data.png import encode
from rdepth_keras.labels import IGNORE
from rdepth_keras.train.devices import any_host, wait_for_hosts
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.state import State

RECORD = "made.json"  # beside the label maps of a round


class Stopped(Exception):
    """The run was asked to stop while a round was made, of which nothing is left."""


@dataclass(frozen=True)
class Rounds:
    """When a run labels its target anew, and what with.

    Attributes:
        method: decides on the labels.
        steps: of the whole run.
        folder: where the label maps of all rounds are kept.
        tiles: of the target, in a fixed order.
        predict: ``(params, buffers, tile) -> probabilities`` (H, W, K) of the segmenter, as
            ``method.labelling`` wants them; compiled once.
        batches: relabelled tiles -> the target's batches, from the first one on.
        tell: is told, in one line, of each round that is made.
        run: what the run calls itself by; empty where that is not known.
        extended_at: ends after which the run was given more steps. There the target is labelled
            anew, since the rounds before went by fewer steps.
        journal: where the share of the target that a round labels is noted; None notes it nowhere.
    """

    method: Method
    steps: int
    folder: Path
    tiles: Tiles
    predict: Callable[[Params, Params, Tile], np.ndarray]
    batches: Callable[[Tiles], Batches]
    tell: Callable[[str], None] = print
    run: str = ""
    extended_at: tuple[int, ...] = ()
    journal: Journal | None = None

    def last(self, done: int) -> int | None:
        """The round in force when ``done`` steps are done; None before the first."""
        rounds = self.method.rounds(self.steps)
        ends = [at for at in self.extended_at if rounds and at > rounds[0]]
        return max((at for at in (*rounds, *ends) if at <= done), default=None)

    def begin(
        self, at: int, state: State, target: Batches, stops: Callable[[], bool] = lambda: False
    ) -> Batches:
        """The target's batches with the labels of a round, from the place of ``target`` on.

        A round that is there is read; else it is made, of the segmenter after as many steps. Before
        each prediction ``stops`` says whether the run is to stop.

        Raises:
            FileNotFoundError: where it is not there, and the state has gone on since.
            ValueError: for labels that cannot be, or are not the ones that were made.
            Stopped: where it was to.
        """
        folder = self.folder / str(at)
        if any_host(not folder.is_dir()):
            if at != int(state.step):
                raise FileNotFoundError(
                    f"The target's labels of step {at} are not in {folder}, and the state has gone "
                    f"on to step {int(state.step)}. Put them back, or train a new run."
                )
            self._make(folder, state, stops)
        else:
            self._check(folder)
        batches = self.batches(Relabelled(self.tiles, folder))
        batches.set_state(target.get_state())
        return batches

    def cut(self, done: int) -> None:
        """Deletes the rounds after ``done`` steps, which will be made again, and unfinished ones.

        Their labels are of a state that is gone. What is no round's stays.
        """
        if jax.process_index() == 0 and self.folder.is_dir():
            for path in self.folder.iterdir():
                at = path.name.removesuffix(PARTIAL)
                if at.isdecimal() and (at != path.name or int(at) > done):
                    shutil.rmtree(path)
        wait_for_hosts("rounds cut")

    def _make(self, folder: Path, state: State, stops: Callable[[], bool]) -> None:
        """Every host predicts, as the state is on all of them; the first one writes."""
        partial = folder.with_name(folder.name + PARTIAL)
        first, kept = jax.process_index() == 0, []
        if first:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        try:
            for label in self._labels(state, stops):
                if first:
                    write_bytes(label_path(partial, len(kept)), encode(label))
                kept.append((label != IGNORE).mean())
            if first:
                write_text(partial / RECORD, self._record(partial))
                partial.rename(folder)
        except BaseException:
            if first:
                shutil.rmtree(partial, ignore_errors=True)
            raise
        wait_for_hosts(f"round {folder.name}")
        step, share = int(state.step), float(np.mean(kept))
        if self.journal and first:
            self.journal.write(step, labelled=share)
        self.tell(
            f"labelled the target's {len(kept)} tiles anew after step {step}: "
            f"{100 * share:.1f}% of the pixels"
        )

    def _labels(self, state: State, stops: Callable[[], bool]) -> Iterator[np.ndarray]:
        """The label map of each tile, checked."""
        probabilities, count = _Probabilities(self, state, stops), 0
        for label in self.method.relabel(probabilities, int(state.step)):
            probabilities.check(count, label)
            count += 1
            yield label
        if count != len(self.tiles):
            raise ValueError(
                f"{type(self.method).__name__}.relabel must yield a label map for each of the "
                f"{len(self.tiles)} target tiles; it yielded {count}."
            )

    def _record(self, folder: Path) -> str:
        """Whose the label maps are, and a digest of all of them."""
        digest = blake2b(digest_size=16)
        for path in sorted(folder.glob("*.png")):
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
        return json.dumps({"run": self.run, "labels": digest.hexdigest()})

    def _check(self, folder: Path) -> None:
        """Raises ValueError where the label maps are not the ones that this run made."""
        record = folder / RECORD
        if not record.exists():
            return self.tell(f"{folder} has no {RECORD}: nobody knows whether its labels changed")
        if record.read_text(encoding="utf-8", errors="replace") != self._record(folder):
            raise ValueError(
                f"The target's labels in {folder} are not the ones that this run made: they were "
                "changed, or exchanged for another run's. Put them back, or train a new run."
            )


class _Probabilities(Sequence):
    """Those of every tile, predicted when they are asked for."""

    def __init__(self, rounds: Rounds, state: State, stops: Callable[[], bool]):
        self._tiles, self._predict, self._stops = rounds.tiles, rounds.predict, stops
        self._variables = dict(state.params[SEGMENTER]), state.buffers[SEGMENTER]
        self._shapes: dict[int, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self._tiles)

    def __getitem__(self, index) -> np.ndarray:
        if not 0 <= index < len(self):
            raise IndexError(index)
        if any_host(self._stops()):
            raise Stopped
        found = np.asarray(self._predict(*self._variables, self._tiles[index]))
        self._shapes[index] = found.shape
        return found

    def check(self, index: int, label: np.ndarray) -> None:
        """Raises ValueError for a label map that does not fit the tile's probabilities."""
        *size, classes = self._shapes.get(index, (*label.shape, IGNORE))
        fits = label.dtype == np.uint8 and list(label.shape) == size
        if not fits or np.any((label >= classes) & (label != IGNORE)):
            raise ValueError(
                f"The label map of target tile {index} must be uint8 {tuple(size)}, train ids "
                f"below {classes} or {IGNORE}; received {label.dtype} {label.shape} with values "
                f"{label.min()} to {label.max()}."
            )
