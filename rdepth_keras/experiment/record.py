"""An experiment as plain values, and what differs between two."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import cattrs
from cattrs.preconf.json import make_converter

from rdepth_keras.adapt import METHODS, Method
from rdepth_keras.experiment.settings import Experiment
from rdepth_keras.optimizers import OPTIMIZERS, Optimizer


def to_dict(experiment: Experiment) -> dict[str, Any]:
    """The experiment as plain, JSON-ready values; the method carries its name."""
    return _CONVERTER.unstructure(experiment)


def to_json(experiment: Experiment) -> str:
    """The experiment as JSON text."""
    return json.dumps(to_dict(experiment), indent=2) + "\n"


def from_json(text: str) -> Experiment:
    """The experiment that :func:`to_json` wrote.

    Raises:
        ValueError: for text that is no experiment of this version, naming the field.
    """
    try:
        return _CONVERTER.structure(json.loads(text), Experiment)
    except (cattrs.BaseValidationError, json.JSONDecodeError) as error:
        reasons = "; ".join(cattrs.transform_error(error))
        raise ValueError(f"Not an experiment of this version: {reasons}") from error


def differences(one: Experiment, other: Experiment) -> list[str]:
    """Settings that differ, as ``name: value -> value`` with dotted names."""
    first, second = _flat(to_dict(one)), _flat(to_dict(other))
    names = sorted(first.keys() | second.keys())
    return [
        f"{name}: {first.get(name)} -> {second.get(name)}"
        for name in names
        if first.get(name) != second.get(name)
    ]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in tree.items():
        flat |= (
            _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
        )
    return flat


def _make_converter():
    converter = make_converter(forbid_extra_keys=True)
    _tag(converter, Method, METHODS)
    _tag(converter, Optimizer, OPTIMIZERS)
    return converter


def _tag(converter, base: type, kinds: Mapping[str, type]) -> None:
    """Lets the converter write the name of a ``base``'s kind beside its fields, and read it."""
    names = {kind: name for name, kind in kinds.items()}

    def write(value):
        return {"name": names[type(value)], **dataclasses.asdict(value)}

    def read(value: dict[str, Any], _):
        fields = dict(value)
        name = fields.pop("name", None)
        if name not in kinds:
            raise ValueError(f"unknown name {name!r}; known are {', '.join(kinds)}")
        return converter.structure(fields, kinds[name])

    converter.register_unstructure_hook(base, write)
    converter.register_structure_hook_func(lambda kind: kind is base, read)


_CONVERTER = _make_converter()
