"""What would fit a device's memory where a step does not: each way compiled, none guessed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from rdepth_keras.experiment import Experiment
from rdepth_keras.plan.apart import Compiled
from rdepth_keras.plan.devices import Device

SHARE = 0.75  # of the device's memory, which JAX takes when it starts
VARIABLE = "XLA_CLIENT_MEM_FRACTION"
EARLIER = "XLA_PYTHON_CLIENT_MEM_FRACTION"  # its deprecated name, which JAX reads as well


@dataclass(frozen=True)
class Attempt:
    """An experiment that was compiled, with the flags that tell it from the one asked for.

    ``compiled`` is None where the network cannot be built so; ``refusal`` then says why.
    """

    flags: str
    experiment: Experiment
    compiled: Compiled | None
    refusal: str = ""


def room(device: Device, environment: Mapping[str, str]) -> int:
    """Bytes that JAX hands out of a device's memory; three quarters but for the variable.

    Raises ValueError where that, or its earlier name, holds no share of the memory, and where both
    are set, as JAX does.
    """
    given = {name: environment[name] for name in (VARIABLE, EARLIER) if environment.get(name)}
    if len(given) > 1:
        raise ValueError(f"{VARIABLE} and {EARLIER} are both set, which JAX refuses: unset one.")
    for name, value in given.items():
        try:
            share = float(value)
        except ValueError:
            share = 0.0
        if not 0 < share <= 1:
            raise ValueError(f"{name} must be a number above 0, at most 1; received {value!r}.")
        return int(share * device.memory_bytes)
    return int(SHARE * device.memory_bytes)


def ways(
    experiment: Experiment,
    count: int,
    compile: Callable[[Experiment], Compiled],
    bytes_free: int,
) -> Iterator[Attempt]:
    """What may make it fit: ``--remat``, ``--accumulate``, both, and the largest batch that does.

    Every attempt is handed out, those that do not fit, too. ``count`` devices share a batch.
    """

    def attempt(flags: str, changed: Experiment) -> Attempt:
        try:
            return Attempt(flags, changed, compile(changed))
        except ValueError as error:
            return Attempt(flags, changed, None, str(error))

    def accumulated(flags: str, base: Experiment) -> Iterator[Attempt]:
        for parts in numbers_of_parts(base, count):
            changed = base.changed(resources={"economy": _economy(base, accumulate=parts)})
            yield (tried := attempt(f"{flags}--accumulate {parts}", changed))
            if tried.compiled is None or fits(tried, bytes_free):
                return

    found: list[Attempt] = []
    lean = experiment.changed(resources={"economy": _economy(experiment, remat=True)})
    if not experiment.resources.economy.remat:
        yield (first := attempt("--remat", lean))
        found.append(first)
    for tried in accumulated("", experiment):
        yield tried
        found.append(tried)
    if not any(fits(tried, bytes_free) for tried in found) and lean != experiment:
        yield from accumulated("--remat ", lean)
    yield from _batches(experiment, count, attempt, bytes_free)


def fits(attempt: Attempt, bytes_free: int) -> bool:
    """Whether it was compiled and needs no more than the room there is."""
    return attempt.compiled is not None and attempt.compiled.peak_bytes <= bytes_free


def numbers_of_parts(experiment: Experiment, count: int) -> list[int]:
    """More parts than now in which each device's share of a batch can be taken, in rising order."""
    share, now = experiment.training.batch_size // count, experiment.resources.economy.accumulate
    return [parts for parts in range(now + 1, share + 1) if share % parts == 0]


def _batches(
    experiment: Experiment,
    count: int,
    attempt: Callable[[str, Experiment], Attempt],
    bytes_free: int,
) -> Iterator[Attempt]:
    """The batch sizes that bisection tries; the largest that fits, if any, is the last such one."""
    unit = count * experiment.resources.economy.accumulate
    small, large = 0, experiment.training.batch_size // unit
    while large - small > 1:
        size = unit * ((small + large) // 2)
        changed = experiment.changed(training={"batch_size": size})
        yield (tried := attempt(f"--batch-size {size}", changed))
        if fits(tried, bytes_free):
            small = size // unit
        else:
            large = size // unit


def _economy(experiment: Experiment, **changes):
    return replace(experiment.resources.economy, **changes)
