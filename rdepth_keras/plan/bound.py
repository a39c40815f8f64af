"""A program's kernels added up, and the least time that a device can take for them."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rdepth_keras.plan.devices import Device
from rdepth_keras.plan.kernels import Kernel

_NAMES = (
    (r"^jit\(step\)/", ""),
    (r"jit\((\w*)\)", r"\1"),
    (r"/(cond/)?branch_\d+_fun|/while/body(/closed_call)?|/rematted_computation|/checkpoint", ""),
    (r"transpose\(jvp\(([^()]*)\)\)", r"\1 backward"),
    (r"jvp\(([^()]*)\)", r"\1 forward"),
    (r"_block\d+", ""),
)


@dataclass(frozen=True)
class Tally:
    """Kernels added up.

    Attributes:
        kernels: launched in a step.
        nbytes: read and written.
        operations: of products and convolutions, two for a multiply-add.
        seconds: the least they can take, one after the other.
    """

    kernels: int = 0
    nbytes: int = 0
    operations: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.kernels + other.kernels,
            self.nbytes + other.nbytes,
            self.operations + other.operations,
            self.seconds + other.seconds,
        )


def tally(kernel: Kernel, device: Device) -> Tally:
    """One kernel: the larger of its bytes over the bandwidth and its operations over the peak.

    A lower bound: launching costs nothing here, and no kernel of a network reaches either rate. The
    bytes of collectives travel between devices while others compute: they take no time here.
    """
    rate = getattr(device.rates, kernel.precision)
    seconds = max(kernel.nbytes / device.bandwidth, kernel.operations / rate)
    return Tally(
        kernel.times,
        kernel.times * kernel.nbytes,
        kernel.times * kernel.operations,
        0.0 if kernel.kind == "collectives" else kernel.times * seconds,
    )


def total(found: Iterable[Kernel], device: Device) -> Tally:
    """All of them, one after the other."""
    return sum((tally(kernel, device) for kernel in found), Tally())


def grouped(
    found: Iterable[Kernel], device: Device, key: Callable[[Kernel], str]
) -> dict[str, Tally]:
    """By whatever the key names, the most bytes first."""
    groups: dict[str, Tally] = {}
    for kernel in found:
        groups[key(kernel)] = groups.get(key(kernel), Tally()) + tally(kernel, device)
    return dict(sorted(groups.items(), key=lambda item: -item[1].nbytes))


def layer(kernel: Kernel) -> str:
    """Where it comes from, alike for all blocks of a stage, and its kind.

    ``decoder backward/fuse/conv, convolutions``
    """
    if not kernel.operation:
        return f"unnamed, {kernel.kind}"
    name = kernel.operation
    for pattern, readable in _NAMES:
        name = re.sub(pattern, readable, name)
    return f"{name.rpartition('/')[0].strip() or 'step'}, {kernel.kind}"
