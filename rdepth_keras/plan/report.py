"""What a compiled step is, as plain values and in words."""

from typing import Any

from rdepth_keras.counting import Counts, count
from rdepth_keras.experiment import Experiment
from rdepth_keras.models import MODELS
from rdepth_keras.plan.apart import Compiled
from rdepth_keras.plan.bound import Tally, grouped, layer, total
from rdepth_keras.plan.devices import Device
from rdepth_keras.plan.fitting import Attempt, fits
from rdepth_keras.plan.hlo import parse
from rdepth_keras.plan.kernels import COLLECTIVES, kernels

GIB = 1 << 30
_HEAD = f"{'GB':>9} {'kernels':>8} {'GFLOP':>9} {'ms at least':>12}"


def counts(experiment: Experiment) -> Counts:
    """Parameters of the network, and multiply-adds of one crop's forward pass."""
    network = experiment.network
    name = next(name for name, known in MODELS.items() if type(known) is type(network))
    classes = len(experiment.data.classes)
    return count(name, experiment.training.crop, classes=classes, **vars(network))


def described(
    experiment: Experiment, compiled: Compiled, device: Device, top: int
) -> dict[str, Any]:
    """All that is known of a compiled step as JSON-ready values, for one of its devices.

    ``top`` groups of kernels, alike for all blocks of a stage, are listed by their bytes.
    """
    found = kernels(parse(compiled.text))
    travelling = [kernel for kernel in found if kernel.kind == COLLECTIVES]
    by_call = grouped(travelling, device, lambda kernel: kernel.opcode.removesuffix("-start"))
    by_layer = list(grouped(found, device, layer).items())[:top]
    step = total(found, device)
    return {
        "peak_bytes": compiled.peak_bytes,
        "argument_bytes": compiled.argument_bytes,
        "temporary_bytes": compiled.temporary_bytes,
        **_plain(step),
        "hours_at_least": step.seconds * experiment.training.steps / 3600,
        "kinds": {
            name: _plain(tally)
            for name, tally in grouped(found, device, lambda kernel: kernel.kind).items()
        },
        "collectives": {
            name: {"count": tally.kernels, "bytes": tally.nbytes} for name, tally in by_call.items()
        },
        "layers": {name: _plain(tally) for name, tally in by_layer},
        "lowering_seconds": compiled.lowering_seconds,
        "compile_seconds": compiled.compile_seconds,
    }


def _plain(tally: Tally) -> dict[str, Any]:
    return {
        "kernels": tally.kernels,
        "bytes_moved": tally.nbytes,
        "operations": tally.operations,
        "seconds_at_least": tally.seconds,
    }


def lines(plan: dict[str, Any], steps: int) -> list[str]:
    """What :func:`described` found, for people to read."""
    state, temporary = gib(plan["argument_bytes"]), gib(plan["temporary_bytes"])
    rows = {
        "peak memory": f"{gib(plan['peak_bytes'])} ({state} of state and batch, {temporary} "
        "of temporaries)",
        "kernels": f"{plan['kernels']}",
        "bytes moved": f"{plan['bytes_moved'] / 1e9:.2f} GB",
        "arithmetic": f"{plan['operations'] / 1e12:.2f} TFLOP of products and convolutions",
        "lower bound": f"{1e3 * plan['seconds_at_least']:.2f} ms a step, "
        f"{plan['hours_at_least']:.2f} hours for {steps} steps",
        **{
            name: f"{found['count']} calls, {found['bytes'] / 1e9:.3f} GB from each device"
            for name, found in plan["collectives"].items()
        },
        "compiled in": f"{plan['compile_seconds']:.0f} s, after {plan['lowering_seconds']:.0f} s "
        "of tracing",
    }
    return [
        *(f"{name:16} {said}" for name, said in rows.items()),
        *_table("kind", plan["kinds"]),
        *_table("layers that move the most bytes", plan["layers"]),
    ]


def _table(title: str, rows: dict[str, Any]) -> list[str]:
    if not rows:
        return []
    return ["", f"{_HEAD}  {title}", *(f"{_row(row)}  {name}" for name, row in rows.items())]


def _row(row: dict[str, Any]) -> str:
    return (
        f"{row['bytes_moved'] / 1e9:9.3f} {row['kernels']:8d} {row['operations'] / 1e9:9.1f} "
        f"{1e3 * row['seconds_at_least']:12.3f}"
    )


def in_words(attempt: Attempt, bytes_free: int) -> str:
    """An attempt to make it fit, in one line."""
    if attempt.compiled is None:
        return f"{attempt.flags:26} cannot be: {attempt.refusal}"
    verdict = "fits" if fits(attempt, bytes_free) else "does not fit"
    return f"{attempt.flags:26} {gib(attempt.compiled.peak_bytes):>10}, {verdict}"


def gib(count: int) -> str:
    """Bytes in words: ``9.56 GiB``."""
    return f"{count / GIB:.2f} GiB"
