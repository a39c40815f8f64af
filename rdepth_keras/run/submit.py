"""A run's predictions for the benchmark."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from rdepth_keras.arrays import Tiles
from rdepth_keras.evaluate.submission import PUBLISHED, Expected, write_submission
from rdepth_keras.infer import Inference
from rdepth_keras.run.dataset import open_dataset
from rdepth_keras.run.directory import read_experiment
from rdepth_keras.run.evaluation import tracked
from rdepth_keras.run.predictor import load_ensemble


def submit(
    directory: Path,
    domain: str,
    out: Path,
    console: Console,
    *,
    inference: Inference | None = None,
    members: Sequence[Path] = (),
) -> None:
    """Predicts the test split of a domain and writes the benchmark's zip.

    Args:
        directory: of the run.
        domain: ``"rural"`` or ``"urban"``.
        out: the zip; it appears once it is whole and valid.
        console: shows a bar.
        inference: other than the run's own.
        members: further runs whose scores are averaged with this one's.

    Raises:
        FileExistsError: if there is such a file.
        ValueError: where tiles of the test split are missing.
    """
    if out.exists():
        raise FileExistsError(f"{out} exists already; choose another --out.")
    tiles = test_tiles(directory, domain)
    expected = expected_submission(directory, domain)
    if len(tiles) != len(expected.ids):
        raise ValueError(
            f"The prepared test split of {domain} holds {len(tiles)} of {len(expected.ids)} tiles; "
            "a submission needs them all. Prepare Test.zip."
        )
    outside = {tiles[place]["id"] for place in (0, len(tiles) - 1)} - set(expected.ids)
    if outside:
        raise ValueError(
            f"The prepared test split of {domain} holds tiles {sorted(outside)}, which are none of "
            f"the published ones. Prepare Test.zip as it was published."
        )
    predictor = load_ensemble([directory, *members], inference)
    labels = (
        (int(tile["id"]), predictor.label(tile))
        for tile in tracked(tiles, f"test {domain}", console)
    )
    write_submission(out, labels, expected)


def expected_submission(directory: Path, domain: str) -> Expected:
    """The published test split; that of the demo scenes for a run on them."""
    dataset = read_experiment(directory).dataset
    if dataset == "folder":
        raise ValueError(
            f"{directory} was trained on a folder; the benchmark takes LoveDA's tiles."
        )
    if dataset != "demo":
        return PUBLISHED[domain]
    tiles = test_tiles(directory, domain)
    first = tiles[0]
    return Expected(range(first["id"], first["id"] + len(tiles)), len(first["label"]))


def test_tiles(directory: Path, domain: str) -> Tiles:
    """The tiles of the test split, labelled or not."""
    return open_dataset(read_experiment(directory)).tiles("test", domain)
