"""An experiment as plain values, and what differs between two."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import cattrs
from cattrs.preconf.json import make_converter

from rdepth_keras.adapt import METHODS, Method
from rdepth_keras.data.dataset import Dataset
from rdepth_keras.data.datasets import DATASETS
from rdepth_keras.experiment.settings import Experiment
from rdepth_keras.models import ARCHITECTURES, Architecture
from rdepth_keras.optimizers import OPTIMIZERS, Optimizer

Differences = dict[str, tuple[Any, Any]]


def to_dict(experiment: Experiment) -> dict[str, Any]:
    """The experiment as plain, JSON-ready values; what is one of several kinds carries its name."""
    return _CONVERTER.unstructure(experiment)


def to_json(experiment: Experiment) -> str:
    """The experiment as JSON text."""
    return json.dumps(to_dict(experiment), indent=2) + "\n"


def from_json(text: str) -> Experiment:
    """The experiment that :func:`to_json` wrote.

    Raises:
        ValueError: for text that is no experiment of this version, naming the field.
    """
    refusal = "Not an experiment of this version"
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{refusal}: no JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{refusal}: expected is an object, received {content!r:.80}")
    if "segmenter" in content:
        raise ValueError(
            f"{refusal}, but of an older version's layout. Train it again, or use that version."
        )
    try:
        found = _CONVERTER.structure(content, Experiment)
    except cattrs.BaseValidationError as error:
        reasons = "; ".join(cattrs.transform_error(error, format_exception=_reason))
        raise ValueError(f"{refusal}: {reasons}") from error
    # A missing field would become a default that nobody chose, "abc" three classes of one letter.
    if changed := _changes(_flat(content), _flat(json.loads(to_json(found)))):
        raise ValueError(
            f"{refusal}: it would be read with other settings: {'; '.join(in_words(changed))}"
        )
    return found


def _reason(error: BaseException, kind: type | None) -> str:
    """In the words of what refused the value, where it has any."""
    if type(error) is ValueError:
        return str(error)
    return cattrs.v.format_exception(error, kind)


def differences(one: Experiment, other: Experiment) -> Differences:
    """Settings that differ: dotted name -> both values."""
    return _changes(_flat(to_dict(one)), _flat(to_dict(other)))


def _changes(first: dict[str, Any], second: dict[str, Any]) -> Differences:
    names = sorted(first.keys() | second.keys())
    pairs = {name: (first.get(name), second.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def in_words(found: Differences) -> list[str]:
    """``name: value -> value`` for each."""
    return [f"{name}: {one} -> {other}" for name, (one, other) in found.items()]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in tree.items():
        flat |= (
            _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
        )
    return flat


def _make_converter():
    converter = make_converter(forbid_extra_keys=True)
    for kind in (int, float, bool):
        converter.register_structure_hook(kind, _exactly)
    for base, kinds in (
        (Dataset, DATASETS),
        (Architecture, ARCHITECTURES),
        (Method, METHODS),
        (Optimizer, OPTIMIZERS),
    ):
        _tag(converter, base, kinds)
    return converter


def _exactly(value: Any, kind: type) -> Any:
    """A number of the very kind: 6.5 steps are no 6 steps. A whole number is a float, too."""
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise ValueError(f"expected is {kind.__name__}, received {value!r:.80}")
    return kind(value)


def _tag(converter, base: type, kinds: Mapping[str, type]) -> None:
    """Lets the converter write the name of a ``base``'s kind beside its fields, and read it."""

    def write(value):
        name = next(name for name, kind in kinds.items() if kind is type(value))
        return {"name": name, **_plain(value)}

    def read(value: dict[str, Any], _):
        fields = dict(value)
        name = fields.pop("name", None)
        if name not in kinds:
            raise ValueError(f"unknown name {name!r}; known are {', '.join(kinds)}")
        return converter.structure(fields, kinds[name])

    converter.register_unstructure_hook(base, write)
    converter.register_structure_hook_func(lambda kind: kind is base, read)


def _plain(value) -> dict[str, Any]:
    """Fields as JSON has them: what is read back is equal to what was written."""
    return json.loads(json.dumps(dataclasses.asdict(value)))


_CONVERTER = _make_converter()
