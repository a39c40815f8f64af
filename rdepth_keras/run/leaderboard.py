"""A sweep as a page: its recipes side by side, and what each of them makes of the same tiles."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rdepth_keras import atomic
from rdepth_keras.data import png
from rdepth_keras.evaluate.examples import draw_examples
from rdepth_keras.evaluate.tables import NOTHING
from rdepth_keras.recipes import SMALL
from rdepth_keras.recipes.catalogue import catalogue
from rdepth_keras.run.ancestry import target_seen
from rdepth_keras.run.comparison import compare, describe_inference
from rdepth_keras.run.ending import examples
from rdepth_keras.run.evaluation import prepare_trial
from rdepth_keras.run.sweep import HEADING, Cell, check_means, told_of_all

SIDE = 160  # pixels of a panel
ORACLE = "oracle"  # trained on the target's own labels


def write_leaderboard(cells: Sequence[Cell], page: Path, command: str) -> list[Path]:
    """Writes ``page``, Markdown, and beside it a picture for each target; returns them all.

    Args:
        cells: runs of a sweep; those that have not finished are named on the page, not scored.
        page: where it goes.
        command: that made the runs.

    Raises ValueError where no run has been scored, and where seeds of a row have no mean.
    """
    scored = [cell for cell in cells if cell.scored]
    if not scored:
        raise ValueError("No run of the sweep has been scored, so there is no leaderboard yet.")
    by_target: dict[str, list[Cell]] = {}
    for cell in scored:
        by_target.setdefault(cell.run.experiment.data.target, []).append(cell)
    table = overview(scored)
    pictures = {target: draw(own, page) for target, own in by_target.items()}
    places = [cell.directory for cell in scored]
    tables = compare(places, published=False, format="markdown", differences=False)
    missing = [cell.directory.name for cell in cells if not cell.scored]
    parts = [f"{HEADING}\n\n```bash\n{command}\n```", table]
    if several := told_of_all(cells):
        parts.append(f"The runs were {several}.")
    parts += [
        f"## Tiles of {target}\n\nThe first seed of each.{told}\n\n![{target}]({picture.name})"
        for target, (picture, told) in pictures.items()
    ]
    parts += [f"## By protocol, every class\n\n{tables.strip()}"]
    if missing:
        parts.append(f"Not finished or not scored, so not in the tables: {', '.join(missing)}.")
    atomic.write_text(page, "\n\n".join(parts) + "\n")
    return [page, *(picture for picture, _ in pictures.values())]


@dataclass(frozen=True)
class Line:
    """A recipe of the overview: mIoU in percent by scored domain, a value for each seed.

    By domain, too, is told how it was predicted.
    """

    recipe: str
    kind: str
    encoders: str
    seen: str
    inference: dict[str, str]
    scores: dict[str, list[float]]


def overview(cells: Sequence[Cell]) -> str:
    """Recipes by encoder, below the one that trains on the source alone, with the gain over it.

    Recipes share a heading where their encoders are of one family and see the same inputs. Runs
    that trained on the target's own labels come last: they bound what there is to gain.

    Raises as :func:`rdepth_keras.run.sweep.check_means`.
    """
    check_means(cells)
    lines: dict[tuple[str, bool], Line] = {}
    for cell in cells:
        metrics = cell.metrics
        assert metrics is not None  # scored
        key = cell.recipe, cell.run.experiment.is_in_domain
        line = lines.setdefault(key, _line(cell))
        line.inference[metrics["domain"]] = describe_inference(metrics["inference"])
        line.scores.setdefault(metrics["domain"], []).append(100 * metrics["miou"])
    domains = list(dict.fromkeys(domain for line in lines.values() for domain in line.scores))
    # As it nearly always is alike, it is told where it is not.
    ways = {way for line in lines.values() for way in line.inference.values()}
    tags = ["inference"] * (len(ways) > 1)
    table = [
        ["encoders", "recipe", "type", "target seen", *tags, *domains],
        [":--"] * (4 + len(tags)) + ["--:"] * len(domains),
    ]
    for encoders in dict.fromkeys(line.encoders for line in lines.values()):
        own = [line for line in lines.values() if line.encoders == encoders]
        base = next((one for one in own if one.kind == "supervised"), None)
        for line in sorted(own, key=partial(_order, base)):
            told = [_score(line, base, domain) for domain in domains]
            known = [encoders, line.recipe, line.kind, line.seen]
            own_ways = "; ".join(dict.fromkeys(line.inference.values()))
            table.append([*known, *[own_ways for _ in tags], *told])
    rows = "\n".join(f"| {' | '.join(row)} |" for row in table)
    chosen = {cell.run.experiment.training.choice.selection for cell in cells}
    by_labels = " Checkpoints were chosen by the target's labels: no adaptation result."
    return (
        "mIoU in % of the target's validation tiles, mean ± standard deviation over the seeds; in "
        "brackets the gain over the first recipe of the same encoders, which trains on the source "
        "alone, where both are predicted in the same way."
        f"{by_labels if 'best_by_target_labels' in chosen else ''}\n\n{rows}"
    )


def _line(cell: Cell) -> Line:
    experiment = cell.run.experiment
    kinds = {entry.name: entry.kind for entry in catalogue()}
    kind = ORACLE if experiment.is_in_domain else kinds.get(cell.recipe.removeprefix(SMALL), "own")
    families = {
        f"{name.partition('_')[0]}{' on depth' if role.startswith('depth') else ''}": None
        for role, name in experiment.network.encoders.items()
        if name is not None
    }
    return Line(cell.recipe, kind, " + ".join(families), target_seen(cell.run), {}, {})


def _order(base: Line | None, line: Line) -> tuple[bool, bool, float]:
    """The source alone first, oracles last, the best between them first."""
    means = [statistics.mean(values) for values in line.scores.values()]
    return line.kind == ORACLE, line is not base, -statistics.mean(means)


def _score(line: Line, base: Line | None, domain: str) -> str:
    if domain not in line.scores:
        return NOTHING
    values = line.scores[domain]
    text = f"{statistics.mean(values):.2f}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):.2f}"
    other = base and base is not line and base.inference.get(domain) == line.inference[domain]
    if base and other:
        text += f" ({statistics.mean(values) - statistics.mean(base.scores[domain]):+.2f})"
    return text


def draw(cells: Sequence[Cell], page: Path) -> tuple[Path, str]:
    """Tiles of a target down, recipes across, the first seed of each; oracles last.

    Every recipe sees its own tiles, for some read no depth. With the picture comes what of the data
    has changed since a run began.

    Raises ValueError where the checkpoint that was scored is damaged.
    """
    first: dict[str, Cell] = {}
    for cell in sorted(cells, key=lambda cell: cell.run.experiment.is_in_domain):
        oracle = cell.run.experiment.is_in_domain
        first.setdefault(cell.recipe.removeprefix(SMALL) + (f", {ORACLE}" if oracle else ""), cell)
    predictions, changed, tiles, trial = {}, "", [], None
    for name, cell in first.items():
        trial = prepare_trial(cell.run, "val")
        if damage := trial.predictor.damaged:
            raise ValueError(f"{cell.directory} would be shown by an older checkpoint: {damage[0]}")
        own = examples(trial)
        predictions[name] = [trial.predictor.label(tile) for tile in own]
        if trial.changed:
            changed += f" The data have changed since {name} began: {'; '.join(trial.changed)}."
        if not tiles or trial.experiment.network.reads_depth:
            tiles = own
    assert trial is not None  # there is a cell
    out = page.with_name(f"{page.stem}_{trial.domain}.png")
    title = f"{trial.split} {trial.domain}"
    picture = draw_examples(tiles, predictions, trial.table, title, SIDE)
    atomic.write_bytes(out, png.encode(picture))
    return out, changed
