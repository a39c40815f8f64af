"""Checkpoints of a run, written by Orbax: variables, optimizer and the place in the data.

A checkpoint is either whole or not there: Orbax writes into a temporary folder and renames it.
The variables are an item of their own, so that evaluation reads them without the optimizer.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from rdepth_keras.train.state import State

Data = dict[str, Any]


class Checkpoints:
    """The checkpoints in one folder; the last ``keep`` are kept."""

    def __init__(self, directory: Path, keep: int = 2):
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=False)
        self._directory = directory.absolute()
        self._manager = ocp.CheckpointManager(self._directory, options=options)

    @property
    def latest_step(self) -> int | None:
        """The step of the last checkpoint, or None."""
        return self._manager.latest_step()

    def save(self, state: State, data: Mapping[str, Any]) -> None:
        """Writes a checkpoint: the state, and what JSON can hold of the data iterators."""
        step = int(state.step)
        if step == self.latest_step:
            return
        variables, rest = _split(state)
        self._manager.save(
            step,
            args=ocp.args.Composite(
                variables=ocp.args.StandardSave(variables),
                rest=ocp.args.StandardSave(rest),
                data=ocp.args.JsonSave(dict(data)),
            ),
        )
        self._manager.wait_until_finished()

    def restore(self, like: State) -> tuple[State, Data]:
        """The last checkpoint, in the shapes, dtypes and placement of ``like``."""
        variables, rest = _split(like)
        restored = self._read(
            variables=_like(variables), rest=_like(rest), data=ocp.args.JsonRestore()
        )
        return State(**restored["variables"], **restored["rest"]), restored["data"]

    def restore_variables(self, params, buffers) -> tuple[Any, Any]:
        """``params`` and ``buffers`` (network -> path -> array) of the last checkpoint alone."""
        wanted = {"params": params, "buffers": buffers}
        restored = self._read(variables=_like(wanted))["variables"]
        return restored["params"], restored["buffers"]

    def close(self) -> None:
        """Waits for what is being written."""
        self._manager.close()

    def _read(self, **items):
        if self.latest_step is None:
            raise FileNotFoundError(
                f"There is no checkpoint in {self._directory}: the run stopped before its first "
                "one. Start it again."
            )
        return self._manager.restore(self.latest_step, args=ocp.args.Composite(**items))


def _split(state: State) -> tuple[dict[str, Any], dict[str, Any]]:
    fields = state._asdict()
    variables = {name: fields.pop(name) for name in ("params", "buffers")}
    return variables, fields


def _like(tree) -> ocp.args.StandardRestore:
    return ocp.args.StandardRestore(jax.tree.map(ocp.utils.to_shape_dtype_struct, tree))
