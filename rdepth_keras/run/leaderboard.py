"""A sweep as a page: the table of its runs, and what each of them makes of the same tiles."""

from collections.abc import Sequence
from pathlib import Path

from rdepth_keras import atomic
from rdepth_keras.data import png
from rdepth_keras.evaluate.examples import draw_examples
from rdepth_keras.run.comparison import compare
from rdepth_keras.run.ending import examples
from rdepth_keras.run.evaluation import prepare_trial
from rdepth_keras.run.sweep import Cell

SIDE = 160  # pixels of a panel


def write_leaderboard(cells: Sequence[Cell], page: Path, command: str) -> list[Path]:
    """Writes ``page``, Markdown, and beside it a picture for each direction; returns them all.

    Args:
        cells: runs of a sweep; those that have not finished are named on the page, not scored.
        page: where it goes.
        command: that made the runs.

    Raises ValueError where no run has been scored.
    """
    scored = [cell for cell in cells if cell.scored]
    if not scored:
        raise ValueError("No run of the sweep has been scored, so there is no leaderboard yet.")
    table = compare([cell.directory for cell in scored], published=False, format="markdown")
    pictures = {
        direction: draw([cell for cell in scored if cell.direction == direction], page)
        for direction in dict.fromkeys(cell.direction for cell in scored)
    }
    missing = [cell.directory.name for cell in cells if not cell.scored]
    parts = [f"# Leaderboard\n\n```bash\n{command}\n```", table.strip()]
    parts += [
        f"## Tiles of {direction}\n\nThe first seed of each.\n\n![{direction}]({picture.name})"
        for direction, picture in pictures.items()
    ]
    if missing:
        parts.append(f"Not finished or not scored, so not in the tables: {', '.join(missing)}.")
    atomic.write_text(page, "\n\n".join(parts) + "\n")
    return [page, *pictures.values()]


def draw(cells: Sequence[Cell], page: Path) -> Path:
    """Tiles down, recipes across: the first seed of each recipe of one direction."""
    first: dict[str, Cell] = {}
    for cell in cells:
        first.setdefault(cell.recipe, cell)
    predictions, tiles, trial = {}, [], None
    for name, cell in first.items():
        trial = prepare_trial(cell.run, "val")
        tiles = tiles or examples(trial)
        predictions[name] = [trial.predictor.label(tile) for tile in tiles]
    assert trial is not None  # there is a cell
    title = f"{cells[0].direction}: {trial.split} {trial.domain}"
    out = page.with_name(f"{page.stem}_{cells[0].direction}.png")
    picture = draw_examples(tiles, predictions, trial.table, title, SIDE)
    atomic.write_bytes(out, png.encode(picture))
    return out
