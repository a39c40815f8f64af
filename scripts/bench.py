"""Measures what the package promises about speed; nothing else should run meanwhile.

    python scripts/bench.py step --against pytorch --python PYTHON
    python scripts/bench.py infer --against pytorch --network convnext_t_whole twin_tiny_whole
    python scripts/bench.py depth --against pytorch --json bench.json
    python scripts/bench.py data --loveda DIR
    python scripts/bench.py growth
    python scripts/bench.py networks
    python scripts/bench.py methods

``step``: training steps of source-only cross-entropy with AdamW. ``infer``: predictions of a
1024 x 1024 tile, whole and in windows of 512. ``depth``: Depth Anything ViT-S at 518 x 518. All
with random weights, each side in a process of its own; with ``--against pytorch`` the two take
turns. Both have the same weights, and what they compute is compared first: where it differs nothing
is timed and the exit code is 2. Best and median are those of all repeats after two calls that warm
up, spread is how far the slowest lies above the fastest, ratio is ours / theirs of the best. Memory
is the process's high-water mark, compilation included; compilation is the first call less a later
one; start is from the command to the end of the first call, imports included.

``growth``: the demo's step against batch and pixels, and the exponents that fit.

``data``: 512 x 512 crops a second on one core, from 1024 x 1024 PNG tiles and from the raw cache of
the same tiles, in memory, and what more worker threads give, with the crop alone and with all
augmentations. Tiles of LoveDA, or of noise over smooth surfaces where there is none. Depth is
smooth: no estimator runs here.

``networks``: parameters and multiply-adds of every network, as docs/networks.md has them; counted
from shapes, nothing is computed.

``methods``: multiply-adds of a step of every adapted recipe, beside those of training on the source
alone with the same network and batch; counted in the same way.
"""

import rdepth_keras.startup  # noqa: F401  # isort: skip

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from benchmark.figures import compare, exponent, table
from benchmark.inputs import inputs_table, measure_inputs
from benchmark.methods import ADAPTED, count_steps
from benchmark.suites import CASES, GROWTH
from benchmark.turns import lacking, measure, sides
from rdepth_keras import atomic, command
from rdepth_keras.counting import count
from rdepth_keras.models import MODELS

What = Literal["step", "infer", "depth", "data", "growth", "networks", "methods"]


@dataclass(frozen=True)
class Arguments:
    what: Annotated[What, tyro.conf.Positional]
    against: Literal["pytorch"] | None = None
    """Whom to take turns with, in step, infer and depth."""
    python: str = sys.executable
    """A Python that has PyTorch and NumPy, for depth transformers as well."""
    network: tuple[str, ...] = ()
    """Which cases of step, infer or depth; all where none is named."""
    json: Path | None = None
    """Where the figures go; figures there of the same name are replaced, others stay."""
    rounds: int = 3
    """How often the sides take turns."""
    repeats: int = 2
    """Timed calls a turn."""
    loveda: Path | None = None
    """LoveDA as published: its tiles are copied to a temporary folder for data."""
    tiles: int = 12
    """Tiles of data."""
    seconds: float = 5.0
    """Time of each measurement of data."""

    def __post_init__(self):
        for name in ("rounds", "repeats", "tiles", "seconds"):
            if not getattr(self, name) > 0:
                raise ValueError(f"--{name} must be above 0; received {getattr(self, name)}.")
        if self.network and self.what not in CASES:
            raise ValueError(f"--network is for {', '.join(CASES)}; {self.what} has none to name.")
        if self.loveda is not None and self.what != "data":
            raise ValueError(f"--loveda is for data; {self.what} reads no tiles.")


Found = Iterator[tuple[str, dict[str, Any]]]  # figures by name, each when it is known


def bench_cases(arguments: Arguments) -> Found:
    """Prints a table for each case of step, infer or depth."""
    cases = CASES[arguments.what]
    chosen = {name: command.choose("--network", name, cases) for name in arguments.network} or cases
    python = opponent(arguments)
    for name, case in chosen.items():
        taken = measure(
            case, sides(case, python), rounds=arguments.rounds, repeats=arguments.repeats
        )
        found = compare(taken, case)
        print(table(f"{arguments.what} {name}", found), flush=True)
        yield name, found


def opponent(arguments: Arguments) -> str | None:
    """The Python that has what the other side needs; None, said in a line, where none has."""
    if arguments.against is None:
        return None
    needs = ["torch", "numpy", *(["transformers"] if arguments.what == "depth" else [])]
    missing = lacking(arguments.python, needs)
    if not missing:
        return arguments.python
    print(
        f"{arguments.python} has no {', '.join(missing)}: ours alone. Name a Python that has, "
        f"--python PYTHON, or: pip install {' '.join(missing)}"
    )
    return None


def bench_growth(arguments: Arguments) -> Found:
    """Prints the demo's step against batch and pixels; memory is that of the step's temporaries."""
    for axis, cases in GROWTH.items():
        rows = []
        for size, case in cases.items():
            (ours,) = measure(
                case, sides(case, None), rounds=arguments.rounds, repeats=arguments.repeats
            ).values()
            rows.append({axis: size, **ours.row(case.batch)})
            row = rows[-1]
            memory = f"{row['temporary_bytes'] / 1e6:8.0f} MB temporaries"
            print(f"{axis:6} {size:6} {1e3 * row['best_s']:9.1f} ms {memory}", flush=True)
        measured = {"time": "best_s", "memory": "temporary_bytes"}
        exponents = {
            name: exponent(list(cases), [row[key] for row in rows])
            for name, key in measured.items()
        }
        print(f"{axis}: " + ", ".join(f"{n} grows with {k:.2f}" for n, k in exponents.items()))
        yield axis, {"exponents": exponents, "rows": rows}


def bench_data(arguments: Arguments) -> Found:
    """Prints crops a second."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = (arguments.tiles, arguments.rounds, arguments.seconds)
        found = measure_inputs(Path(folder), arguments.loveda, *sizes)
    print(inputs_table(found))
    yield "crops", found


def bench_networks(_: Arguments) -> Found:
    """Prints a line for each network."""
    print("network               parameters (M)  multiply-adds at 512 x 512 (G)")
    for name in MODELS:
        counts = count(name)
        print(f"{name:22} {counts.parameters / 1e6:13.2f} {counts.multiply_adds / 1e9:31.1f}")
        yield name, asdict(counts)


def bench_methods(_: Arguments) -> Found:
    """Prints a line for each adapted recipe."""
    print("recipe                 a step (G)  source alone (G)  ratio")
    for name in ADAPTED:
        found = count_steps(name)
        step, alone = found["multiply_adds"] / 1e9, found["source_only_multiply_adds"] / 1e9
        print(f"{name:22} {step:10.1f} {alone:17.1f} {step / alone:6.2f}", flush=True)
        yield name, found


def stored(path: Path | None) -> dict[str, Any]:
    """The figures in a file, none where there is no file; ValueError for a file of another kind."""
    if path is None or not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"--json {path} exists and is no JSON: {error}. Name another.") from error
    if not isinstance(found, dict) or not all(isinstance(part, dict) for part in found.values()):
        raise ValueError(f"--json {path} exists and holds no figures of bench.py. Name another.")
    return found


def store(path: Path, what: str, name: str, figures: dict[str, Any]) -> None:
    """Adds figures to those in a file, which is replaced as a whole."""
    before = stored(path)
    whole = {**before, what: {**before.get(what, {}), name: figures}}
    atomic.write_text(path, json.dumps(whole, indent=2) + "\n")


BENCHES = {
    **dict.fromkeys(CASES, bench_cases),
    "growth": bench_growth,
    "data": bench_data,
    "networks": bench_networks,
    "methods": bench_methods,
}


def main() -> int:
    arguments = command.parse(Arguments)
    stored(arguments.json)  # before an hour is spent
    command.check_folder("--json", arguments.json)
    if arguments.against and arguments.what not in CASES:
        print(f"{arguments.what}: PyTorch has no part in it, ours alone")
    for name, figures in BENCHES[arguments.what](arguments):
        if arguments.json is not None:
            store(arguments.json, arguments.what, name, figures)
    return 0


if __name__ == "__main__":
    sys.exit(command.guarded(main))
