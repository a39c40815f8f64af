"""The journal of a run: one JSON object a line, appended as it happens."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdepth_keras.atomic import write_text


@dataclass(frozen=True)
class Journal:
    """A file of JSON lines, each with the ``step`` it belongs to.

    ``mirror`` is told of every line, too: ``(step, entries)``.
    """

    path: Path
    mirror: Callable[[int, Mapping[str, Any]], None] | None = None

    def write(self, step: int, **entries: Any) -> None:
        """Appends a line; the file is closed between lines, so a killed run loses none."""
        if self.mirror:
            self.mirror(step, entries)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **entries}) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """All whole lines; a last line that a kill cut off is left out.

        Raises ValueError, naming the line, where the file was damaged otherwise.
        """
        if not self.path.exists():
            return []
        text = self.path.read_text(encoding="utf-8", errors="replace")
        whole = text[: text.rfind("\n") + 1]
        return [self._entry(place, line) for place, line in enumerate(whole.splitlines(), 1)]

    def _entry(self, place: int, line: str) -> dict[str, Any]:
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if isinstance(entry, dict) and type(entry.get("step")) is int:
            return entry
        raise ValueError(f"{self.path}, line {place}: no entry of a journal; delete that line.")

    def cut(self, step: int) -> None:
        """Drops the lines after ``step``: what a killed run wrote beyond its last checkpoint."""
        kept = [entry for entry in self.read() if entry["step"] <= step]
        write_text(self.path, "".join(json.dumps(entry) + "\n" for entry in kept))
