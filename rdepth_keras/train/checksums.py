"""Checksums of a run's checkpoints, written beside them when they are whole."""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from rdepth_keras.atomic import write_text


class Checksums:
    """Those of the checkpoints in ``directory``, in a folder beside it.

    With them stand a checkpoint's step and whose run it is: what ``run`` calls itself by.
    """

    def __init__(self, directory: Path, run: str):
        self._directory, self._run = directory, run
        self.folder = directory.with_name(f"{directory.name}-checksums")

    def damage(self, step: int) -> str | None:
        """What is wrong with a checkpoint, in words; None with a whole one."""
        path = self._file(step)
        if not path.exists():
            return "it was not finished"
        try:
            written = self._written(step)
            expected = dict(written["files"])
        except (ValueError, TypeError, KeyError):
            return f"{path.name} is unreadable"
        if written.get("step", step) != step:
            return f"it is that of step {written['step']} under another name"
        found = self._digests(step)
        wrong = [name for name in expected if found.get(name) != expected[name]]
        return f"{wrong[0]} has changed" if wrong else None

    def refuse_others(self, step: int) -> None:
        """Raises ValueError for a whole checkpoint that another run made."""
        maker = self._written(step).get("run", "")
        if maker and not self._run:
            raise ValueError(
                f"The checkpoint of step {step} in {self._directory} is of the run {maker}, but "
                "nothing says that this one is that: put the run's own environment.json back."
            )
        if maker and maker != self._run:
            raise ValueError(
                f"The checkpoint of step {step} in {self._directory} is of another run, the run "
                f"{maker}, and not of this one, {self._run}. Copy the folder and "
                f"{self.folder.name} back from this one, or go on with the other."
            )

    def write(self, step: int) -> None:
        """Of a checkpoint that is whole now."""
        content = {"run": self._run, "step": step, "files": self._digests(step)}
        write_text(self._file(step), json.dumps(content, indent=1))

    def keep(self, steps: Collection[int]) -> None:
        """Deletes those of other checkpoints."""
        present = {self._file(step) for step in steps}
        for path in self.folder.iterdir():
            if path not in present:
                path.unlink()

    @property
    def none_was_written(self) -> bool:
        """Whether a save began and none has ended: the folder is there, and empty."""
        return self.folder.is_dir() and not any(self.folder.glob("*.json"))

    def _file(self, step: int) -> Path:
        return self.folder / f"{step}.json"

    def _written(self, step: int) -> dict[str, Any]:
        return json.loads(self._file(step).read_text(encoding="utf-8"))

    def _digests(self, step: int) -> dict[str, str]:
        folder = self._directory / str(step)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): _digest(path) for path in files}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
