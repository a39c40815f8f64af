"""The evaluations that a run was given, each with the counts of every tile beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rdepth_keras.atomic import write_text
from rdepth_keras.evaluate.counts import Counts, load_counts
from rdepth_keras.run.jsonfile import digest, read_object, write_object


@dataclass(frozen=True)
class Evaluations:
    """The folder ``evaluations`` of a run, there or not.

    Attributes:
        run: the run's directory.
        identity: what the run's evaluations are told by; empty where that was not noted.
    """

    run: Path
    identity: str

    @property
    def names(self) -> list[str]:
        """Of those there are, such as ``val_urban``."""
        return sorted(path.stem for path in (self.run / "evaluations").glob("[!.]*.json"))

    def read(self) -> dict[str, dict[str, Any]]:
        """All of them: name -> scores.

        Raises FileNotFoundError, with the remedy, where there is none, or one has lost its counts,
        and ValueError for one of another run, or that was changed.
        """
        names = self.names
        if not names:
            raise FileNotFoundError(
                f"{self.run} was not evaluated yet: python scripts/evaluate.py --run {self.run}"
            )
        return {name: self._read(name) for name in names}

    def _read(self, name: str) -> dict[str, Any]:
        path = self._file(name, "json")
        result = read_object(path)
        seal, maker = digest(result), result.pop("run", "")
        if maker and not self.identity:
            raise ValueError(
                f"{path} is of the run {maker}, but nothing says that this one is that: put the "
                "run's own environment.json back."
            )
        if maker != self.identity:
            raise ValueError(
                f"{path} is of another run, {maker or 'which it does not name'}, and not of this "
                f"one, {self.identity}: move it back to its own, and evaluate this one again."
            )
        if self.counts(name).written_with not in ("", seal):
            raise ValueError(
                f"{path} is not what was written with the counts beside it: one of the two was "
                "changed or exchanged. Evaluate the run again, or move both away."
            )
        return result

    def counts(self, name: str) -> Counts:
        """The counts of an evaluation; FileNotFoundError where there are none."""
        return load_counts(self._file(name, "npz"))

    def write(self, name: str, result: Mapping[str, Any], counts: Counts) -> None:
        """Writes an evaluation's scores, and the counts of every tile, which hold their digest.

        A report of other scores goes first: none lies beside them.
        """
        self._file(name, "html").unlink(missing_ok=True)
        content = {"run": self.identity, **result}
        replace(counts, written_with=digest(content)).save(self._file(name, "npz"))
        write_object(self._file(name, "json"), content)

    def write_page(self, name: str, text: str) -> Path:
        """Writes an evaluation's report; returns its path."""
        path = self._file(name, "html")
        write_text(path, text)
        return path

    def _file(self, name: str, suffix: str) -> Path:
        # Names may hold dots, so that with_suffix would cut them.
        return self.run / "evaluations" / f"{name}.{suffix}"
