"""A run's predictions for the benchmark."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from rdepth_keras.assembly import open_data
from rdepth_keras.evaluate.submission import Expected, write_submission
from rdepth_keras.infer import Inference
from rdepth_keras.run.directory import Run
from rdepth_keras.run.evaluation import tracked
from rdepth_keras.run.files import changed_files, other_versions
from rdepth_keras.run.predictor import load_ensemble, unfinished


def submit(
    run: Run,
    domain: str,
    out: Path,
    console: Console,
    *,
    inference: Inference | None = None,
    members: Sequence[Run] = (),
) -> None:
    """Predicts the test split of a domain and writes the benchmark's zip.

    Args:
        run: the run.
        domain: ``"rural"`` or ``"urban"``.
        out: the zip; it appears once it is whole and valid.
        console: shows a bar.
        inference: other than the run's own.
        members: further runs whose predictions are averaged with this one's.

    Raises:
        FileExistsError: if there is such a file.
        ValueError: where tiles of the test split are missing, or their depth is not the run's.
    """
    if out.exists():
        raise FileExistsError(f"{out} exists already; choose another --out.")
    expected = expected_submission(run, domain)
    data = open_data(run.experiment)
    for one in (run, *members):
        if one.experiment.network.reads_depth:
            one.check_data(data)
    if domain != (target := run.experiment.data.target):
        console.print(f"WARNING: {run} was trained for {target}, and {domain} is predicted.")
    for one in (run, *members):
        for line in other_versions(one, one.experiment):
            console.print(line)
    for line in changed_files(run, data).values():
        console.print(f"The data have changed since the run began: {line}")
    tiles = data.tiles("test", domain)
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
    predictor = load_ensemble([run, *members], inference, domain)
    for line in (*predictor.damaged, *unfinished([run, *members])):
        console.print(line)
    labels = (
        (int(tile["id"]), predictor.label(tile))
        for tile in tracked(tiles, f"test {domain}", console)
    )
    write_submission(out, labels, expected)


def expected_submission(run: Run, domain: str) -> Expected:
    """What a submission of the run's dataset must hold; ValueError where it has no benchmark."""
    data = run.experiment.data
    return Expected(*data.test_split(domain), len(data.classes))
