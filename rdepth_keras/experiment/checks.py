"""Settings that cannot be are refused by the name of their flag."""

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any


def check(name: str, value: object, good: bool, expected: str) -> None:
    """Raises ValueError for a bad setting, naming it as its flag does."""
    if not good:
        raise ValueError(f"--{name.replace('_', '-')} must be {expected}; received {value}.")


def check_seed(name: str, seed: int) -> None:
    """Raises ValueError for a seed that JAX does not take."""
    check(name, seed, 0 <= seed < 1 << 31, "in 0..2^31-1")


def check_finite(name: str, part: Any) -> None:
    """Raises ValueError where a number anywhere in a part of that name is NaN or infinite."""
    for place, value in _numbers(part, name):
        check(place, value, math.isfinite(value), "a finite number")


def _numbers(part: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Dotted name and value of every float in a dataclass and in its tuples."""
    if isinstance(part, float):
        yield name, part
    elif is_dataclass(part):
        for one in fields(part):
            yield from _numbers(getattr(part, one.name), f"{name}.{one.name}")
    elif isinstance(part, tuple):
        for value in part:
            yield from _numbers(value, name)
