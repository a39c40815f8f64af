"""The journal of a run: one JSON object a line, appended as it happens."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rdepth_keras.atomic import write_text


@dataclass(frozen=True)
class Journal:
    """A file of JSON lines, each with the ``step`` it belongs to, and the run.

    ``mirror`` is told of every line, too: ``(step, entries)``. ``run`` is what the run calls itself
    by; empty where that is not known, and nothing is then refused by it.
    """

    path: Path
    mirror: Callable[[int, Mapping[str, Any]], None] | None = None
    run: str = ""

    def write(self, step: int, **entries: Any) -> None:
        """Appends a line; the file is closed between lines, so a killed run loses none."""
        if self.mirror:
            self.mirror(step, entries)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(self._line({"step": step, **entries}))

    def read(self) -> list[dict[str, Any]]:
        """All whole lines, without the run; a last line that a kill cut off is left out.

        Raises ValueError, naming the line, where the file was damaged otherwise, holds what no run
        writes or another one wrote, or goes back in steps, as two journals in one do.
        """
        if not self.path.exists():
            return []
        text = self.path.read_text(encoding="utf-8", errors="replace")
        whole = text[: text.rfind("\n") + 1]
        entries = [self._entry(place, line) for place, line in enumerate(whole.splitlines(), 1)]
        for place, (one, following) in enumerate(pairwise(entries), 2):
            if following["step"] < one["step"]:
                raise ValueError(
                    f"{self.path}, line {place}: step {following['step']} after step "
                    f"{one['step']}, as in no journal; delete the lines of another run."
                )
        return entries

    def validations(self) -> list[dict[str, Any]]:
        """The lines that hold a validation's scores; raises as :meth:`read`."""
        return [entry for entry in self.read() if "validation" in entry]

    def _entry(self, place: int, line: str) -> dict[str, Any]:
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        maker = entry.pop("run", "") if isinstance(entry, dict) else ""
        if self.run and maker not in ("", self.run):
            raise ValueError(
                f"{self.path}, line {place}, is of another run, {maker}, and not of this one, "
                f"{self.run}: put this one's own journal back, or move the file away."
            )
        if isinstance(entry, dict) and type(entry.get("step")) is int and _is_own(entry):
            return entry
        raise ValueError(f"{self.path}, line {place}: no entry of a journal; delete that line.")

    def cut(self, step: int) -> None:
        """Drops the lines after ``step``: what a killed run wrote beyond its last checkpoint."""
        kept = [entry for entry in self.read() if entry["step"] <= step]
        write_text(self.path, "".join(map(self._line, kept)))

    def _line(self, entry: Mapping[str, Any]) -> str:
        return json.dumps({**entry, "run": self.run} if self.run else entry) + "\n"


def _is_own(entry: Mapping[str, Any]) -> bool:
    """Whether a line holds numbers by name, their timing, and a validation's scores, if any."""
    rest = {name: value for name, value in entry.items() if name not in ("validation", "domain")}
    time, scores = rest.pop("time", {}), entry.get("validation", {"miou": 0.0})
    tables = isinstance(time, dict) and isinstance(scores, dict)
    return (
        tables
        and all(map(_is_number, [*rest.values(), *time.values(), scores.get("miou")]))
        and isinstance(entry.get("domain", ""), str)
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)
