"""Checkpoints of a run, written by Orbax: variables, optimizer and the place in the data.

A checkpoint is either whole or not there: Orbax writes into a temporary folder and renames it, then
the checksums of its files are written beside it, and only then are older ones deleted. One without
checksums, or whose files no longer fit them, is passed over for the one before; with the checksums
stand its step and whose run it is, and that of another run is refused. The variables are
an item of their own, so that evaluation reads them without the optimizer, and only those of the
network it asks for. Of a network that no phase trains nothing is saved: it is always as it was
built.
"""

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from rdepth_keras.packing import packed_as
from rdepth_keras.train.checksums import Checksums
from rdepth_keras.train.devices import wait_for_hosts
from rdepth_keras.train.state import State

Data = dict[str, Any]
MARGIN_BYTES = 2**20  # for Orbax's own files beside the arrays, and the journal's next lines


class Checkpoints:
    """The checkpoints in one folder; the last ``keep`` are kept.

    ``notify`` is told, in one line, of each damaged checkpoint that is passed over. ``run`` is what
    the run calls itself by; where that is not known, those that name a run are refused.
    """

    def __init__(
        self,
        directory: Path,
        keep: int = 2,
        notify: Callable[[str], None] = print,
        run: str = "",
    ):
        options = ocp.CheckpointManagerOptions(enable_async_checkpointing=False)
        self._directory = directory.absolute()
        self._manager = ocp.CheckpointManager(self._directory, options=options)
        self._checksums = Checksums(self._directory, run)
        self._keep, self._notify = keep, notify

    def steps(self) -> list[int]:
        """Steps of the checkpoints, whole or not, in rising order."""
        return sorted(self._manager.all_steps())

    def damaged(self) -> dict[int, str]:
        """What is wrong with those that are not whole: step -> reason."""
        found = {step: self._checksums.damage(step) for step in self.steps()}
        return {step: reason for step, reason in found.items() if reason is not None}

    def latest_step(self) -> int | None:
        """The step of the last whole checkpoint, which is what will be restored.

        Names the damaged ones it passes over. None where none was ever finished.

        Raises:
            ValueError: where there are checkpoints, but all are damaged; for one of another run.
        """
        reasons = {}
        for step in reversed(self.steps()):
            reason = self._checksums.damage(step)
            if reason is None:
                self._checksums.refuse_others(step)
                return step
            reasons[step] = reason
            self._notify(f"The checkpoint of step {step} is damaged: {reason}. {self._directory}")
        first_save_was_cut = len(reasons) == 1 and self._checksums.none_was_written
        if reasons and not first_save_was_cut:
            raise ValueError(
                f"No checkpoint in {self._directory} is whole ("
                + "; ".join(f"step {step}: {reason}" for step, reason in reasons.items())
                + f"). Copy the folder and {self._checksums.folder.name} back from where they are "
                "whole, or start the run again in another directory with --rerun."
            )
        return None

    def save(self, state: State, data: Mapping[str, Any]) -> None:
        """Writes a checkpoint: the state, and what JSON can hold of the data iterators.

        A whole one of the same step is left alone. Raises OSError where it cannot be written, and
        FloatingPointError for variables that are not finite; the ones before stay good.
        """
        step = int(state.step)
        if step in self.steps():
            if self._checksums.damage(step) is None:
                return
            self._manager.delete(step)
        self._check_room(state)
        variables, rest = _split(state)
        _refuse_infinite(variables, step, max(self.steps(), default=None))
        first = jax.process_index() == 0
        if first:
            self._checksums.folder.mkdir(exist_ok=True)
        saved = self._manager.save(
            step,
            args=ocp.args.Composite(
                variables=ocp.args.PyTreeSave(variables),
                rest=ocp.args.StandardSave(rest),
                data=ocp.args.JsonSave(dict(data)),
            ),
        )
        if not saved:
            raise RuntimeError(
                f"Orbax did not save step {step} into {self._directory}, which holds the steps "
                f"{self.steps()}."
            )
        self._manager.wait_until_finished()
        if first:
            self._checksums.write(step)
        wait_for_hosts(f"checksums {self._directory.name} {step}")
        for old in self.steps()[: -self._keep]:
            self._manager.delete(old)
        if first:
            self._checksums.keep(self.steps())

    def restore(self, like: State) -> tuple[State, Data]:
        """The last whole checkpoint, in the shapes, dtypes and placement of ``like``.

        Later, damaged ones are deleted, since the run will write those steps again. Raises
        ValueError for one of other networks, naming a variable.
        """
        step = self._last_whole()
        variables, rest = _split(like)
        self._check_shapes(step, variables, partial=False)
        shapes = jax.tree.map(ocp.utils.to_shape_dtype_struct, rest)
        items = ocp.args.Composite(
            variables=_like(variables),
            rest=ocp.args.StandardRestore(shapes),
            data=ocp.args.JsonRestore(),
        )
        with _without_traces():
            restored = self._manager.restore(step, args=items)
        self.cut(step)
        found = restored["variables"]
        for kind, networks in found.items():
            known = getattr(like, kind)
            own = {name: packed_as(known[name], values) for name, values in networks.items()}
            found[kind] = {**known, **own}
        return State(**found, **restored["rest"]), restored["data"]

    def cut(self, step: int) -> None:
        """Deletes the checkpoints after ``step``."""
        for later in self.steps():
            if later > step:
                self._manager.delete(later)

    def restore_variables(self, params, buffers, average: bool) -> tuple[Any, Any]:
        """``params`` (their moving average, if the run keeps one) and ``buffers``, nothing else.

        ``params`` and ``buffers``, network -> path -> array, give shapes, dtypes and placement, and
        say which networks are read: others that the checkpoint holds are left aside. Raises
        ValueError where it does not hold these, naming a variable.
        """
        kind = "average" if average else "params"
        wanted = {kind: params, "buffers": buffers}
        items = ocp.args.Composite(variables=_like(wanted, partial=True))
        step = self._last_whole()
        self._check_shapes(step, wanted, partial=True)
        with _without_traces():
            restored = self._manager.restore(step, args=items)["variables"]
        return restored[kind], restored["buffers"]

    def close(self) -> None:
        """Waits for what is being written."""
        self._manager.close()

    def _check_room(self, state: State) -> None:
        """Raises OSError before anything is written: told in one line, where Orbax fills pages."""
        needed = checkpoint_bytes(state)
        free = shutil.disk_usage(self._directory).free
        if free < needed:
            raise OSError(
                f"A checkpoint needs {needed / 2**20:.1f} MiB, but {self._directory} has "
                f"{free / 2**20:.1f} MiB free. Make room and go on with --resume."
            )

    def _check_shapes(self, step: int, wanted: Data, partial: bool) -> None:
        """Raises ValueError, naming the first variable that the checkpoint has otherwise."""
        folder = self._directory / str(step) / "variables"
        with _without_traces(), ocp.PyTreeCheckpointer() as reader:
            found = _shapes(reader.metadata(folder).item_metadata.tree)
        for name, shape in _shapes(wanted).items():
            if name not in found:
                raise ValueError(f"it lacks {name}")
            if found[name] != shape:
                raise ValueError(f"{name} is {found[name]}, expected is {shape}")
        if not partial and (more := found.keys() - _shapes(wanted).keys()):
            raise ValueError(f"it holds {min(more)}, too")

    def _last_whole(self) -> int:
        step = self.latest_step()
        if step is None:
            raise FileNotFoundError(
                f"There is no whole checkpoint in {self._directory}: nothing was trained yet."
            )
        return step


def checkpoint_bytes(state: State) -> int:
    """What a checkpoint takes on the disk at most."""
    return sum(array.nbytes for array in jax.tree.leaves(_split(state))) + MARGIN_BYTES


def _split(state: State) -> tuple[dict[str, Any], dict[str, Any]]:
    """The variables of the networks that train (those with an optimizer), and the rest."""
    rest = state._asdict()
    variables = {}
    for kind in ("params", "buffers", "average"):
        networks = rest.pop(kind)
        own = networks.keys() & state.optimizer.keys()
        variables[kind] = {name: dict(networks[name]) for name in sorted(own)}
    return variables, rest


def _refuse_infinite(variables: Any, step: int, good: int | None) -> None:
    """A step looks at losses and gradients alone: what it made of the variables is seen here.

    Those whose squares leave float32 are good for nothing either, and cost no pass of their own.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables):
        values = np.asarray(leaf.addressable_data(0), np.float32).ravel()
        with np.errstate(over="ignore", invalid="ignore"):
            square = np.dot(values, values)
        if not np.isfinite(square):
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            raise FloatingPointError(
                f"{name} is not finite at step {step}, or its squares are not, so it is not saved: "
                "loss and gradients were, and the update left the range of its numbers. "
                + (f"The last good checkpoint is that of step {good}. " if good else "")
                + "Take a lower learning rate."
            )


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """``params/segmenter/path`` -> shape of every array in a tree, or of what describes it."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape)
        for path, leaf in leaves
    }


def _like(tree, partial: bool = False) -> ocp.args.PyTreeRestore:
    """Arrays in the shapes, dtypes and placement of a tree: all that are saved, or a part."""
    shapes = jax.tree.map(ocp.utils.to_shape_dtype_struct, tree)
    arguments = ocp.checkpoint_utils.construct_restore_args(shapes)
    return ocp.args.PyTreeRestore(shapes, restore_args=arguments, partial_restore=partial)


@contextmanager
def _without_traces() -> Iterator[None]:
    """Orbax logs the trace of what it raises, too; its logger is Abseil's."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
