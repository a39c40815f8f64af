"""Write the LoveDA benchmark's zip with a trained run, or check any zip before it is sent.

    python scripts/submit.py --run runs/rdepth_b_b-r2u-... --domain urban --out urban.zip
    python scripts/submit.py --check urban.zip --domain urban

Every fault of a checked zip is named, and the exit code is 1 if there is one.
"""

import rdepth_keras.startup  # noqa: F401  # isort: skip

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rdepth_keras import command


@dataclass(frozen=True)
class Submit:
    """Write the benchmark's zip with a trained run, or check any zip."""

    domain: Literal["rural", "urban"]
    """Domain of the test tiles."""
    run: Path | None = None
    """Directory of the run; with --check, its dataset (LoveDA or the demo) says what belongs into
    the zip."""
    data_dir: Path | None = None
    """Where the run's data lie now, if they were moved."""
    out: Path | None = None
    """Zip to write."""
    check: Path | None = None
    """Zip to check; nothing is predicted."""
    ensemble: tuple[Path, ...] = ()
    """Further runs whose scores are averaged with --run's."""
    views: Literal["one", "flips", "symmetries"] | None = None
    """Test-time views; the run's own when left out."""


def main() -> int:
    arguments = command.parse(Submit)
    if (arguments.check is None) == (arguments.out is None):
        raise ValueError("Give either --run DIR and --out FILE.zip, or --check FILE.zip.")
    if arguments.check is not None:
        if arguments.check.is_dir():
            raise IsADirectoryError(f"--check {arguments.check} is a folder; name the zip.")
        idle = ("data_dir", "ensemble", "views")
        if given := [f"--{name.replace('_', '-')}" for name in idle if getattr(arguments, name)]:
            raise ValueError(f"{', '.join(given)} has no effect with --check; leave it away.")
        return check(arguments, arguments.check)
    if arguments.run is None:
        raise ValueError("Name the run that predicts: --run DIR.")
    command.check_directory("--out", arguments.out and arguments.out.parent)
    write(arguments, arguments.run, arguments.out)
    return check(arguments, arguments.out)


def write(arguments: Submit, directory: Path, out: Path | None) -> None:
    # Imported here, as is everything that needs JAX: a check takes a second.
    from dataclasses import replace

    from rdepth_keras import run
    from rdepth_keras.train.devices import keep_compilations

    keep_compilations()
    assert out is not None
    place = arguments.data_dir and str(arguments.data_dir.expanduser().resolve())
    own, *members = (run.Run(path, place) for path in (directory, *arguments.ensemble))
    inference = own.experiment.training.inference
    if arguments.views is not None:
        inference = replace(inference, views=arguments.views)
    run.submit(
        own,
        arguments.domain,
        out,
        command.console(),
        inference=inference,
        members=members,
    )


def check(arguments: Submit, path: Path | None) -> int:
    from rdepth_keras.evaluate.submission import PUBLISHED, check_submission

    assert path is not None
    expected = PUBLISHED[arguments.domain]
    if arguments.run is not None:
        from rdepth_keras import run

        expected = run.expected_submission(run.Run(arguments.run), arguments.domain)
    findings = check_submission(path, expected)
    if findings.faults or findings.warnings:
        print(findings)
    if not findings.faults:
        size = f"{expected.side_pixels}x{expected.side_pixels}"
        own = expected != PUBLISHED[arguments.domain]
        whose = ", those of the run's data and not the benchmark's" if own else ""
        print(f"{path}: valid, {len(expected.ids)} {arguments.domain} tiles of {size}{whose}")
    return 1 if findings.faults else 0


if __name__ == "__main__":
    command.guarded(main)
