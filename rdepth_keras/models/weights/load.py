"""Published weights -> the variables of our networks.

Every array of a checkpoint must find its variable, or be on the short list of those that are not
needed (:mod:`rdepth_keras.models.weights.layouts`), and every variable must get one. All of it is
checked before the first variable changes.
"""

import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import keras
import numpy as np

from rdepth_keras import checkpoints
from rdepth_keras.models.encoders import mit, resnet
from rdepth_keras.models.encoders.convnext import ConvNeXt
from rdepth_keras.models.weights.layouts import (
    CONVNEXT_HUGGING_FACE,
    CONVNEXT_TIMM,
    UPERNET,
    Layout,
)
from rdepth_keras.models.weights.layouts_mit import MIT_HUGGING_FACE, MIT_ORIGINAL, SEGFORMER
from rdepth_keras.models.weights.layouts_resnet import (
    RESNET_HUGGING_FACE,
    RESNET_TIMM,
    RESNET_TIMM_DEEP,
)
from rdepth_keras.models.weights.soundness import (
    refuse_flat,
    tell_closed_norms,
    tell_fresh_statistics,
)
from rdepth_keras.naming import shorten

_SHOWN = 5  # names of arrays
PUBLISHED = {  # the paper's starting points for small, base and xlarge
    "atto": "timm/convnext_atto.d2_in1k",
    "femto": "timm/convnext_femto.d1_in1k",
    "pico": "timm/convnext_pico.d1_in1k",
    "nano": "timm/convnext_nano.d1h_in1k",
    "tiny": "timm/convnext_tiny.fb_in1k",
    "small": "timm/convnext_small.fb_in1k",
    "base": "timm/convnext_base.fb_in22k",
    "large": "timm/convnext_large.fb_in22k",
    "xlarge": "timm/convnext_xlarge.fb_in22k",
    **{name: f"smp-hub/{name}.imagenet" for name in mit.VARIANTS},
    "resnet50": "timm/resnet50.tv_in1k",
    "resnet50c": "timm/resnet50c.gluon_in1k",
    "resnet101": "timm/resnet101.tv_in1k",
    "resnet101c": "timm/resnet101c.gluon_in1k",
}
LAYOUTS = {  # by the class of the encoder
    ConvNeXt: (CONVNEXT_TIMM, CONVNEXT_HUGGING_FACE),
    mit.MiT: (MIT_HUGGING_FACE, MIT_ORIGINAL),
    resnet.ResNet: (RESNET_TIMM, RESNET_TIMM_DEEP, RESNET_HUGGING_FACE),
}
NETWORKS = (UPERNET, SEGFORMER)

GREY = (
    "Its stem takes one channel, of a range that the file does not tell; ours takes three, each of "
    "0 to 255 (a depth map's 0 to 1 is spread to it, the same in all three) less ImageNet's mean "
    "and divided by its deviation. Convert the stem's kernel and bias to that."
)

Weights = str | Path | Mapping[str, str | Path | None]
_COUNTER = "num_batches_tracked"  # of PyTorch's batch norm; we have no use for it
_LEAVES = {
    "weight": ("kernel", "gamma"),
    "bias": ("bias", "beta"),
    "running_mean": ("moving_mean", "source_mean", "target_mean"),
    "running_var": ("moving_variance", "source_variance", "target_variance"),
}


def load(model: keras.Model, weights: Weights) -> None:
    """Give a network of :mod:`rdepth_keras.models` published weights.

    ``weights`` is ``"imagenet"``, each encoder's entry of :data:`PUBLISHED`; or
    ``{"image_encoder": source, "depth_encoder": source}``, by the names of their layers, which all
    end in ``_encoder``, with anything that
    :func:`rdepth_keras.checkpoints.load` takes, "imagenet", or None; or one such source, which
    holds the whole network, or an encoder, for all of a network without depth. A whole network's
    classifiers stay random, with a warning, where its classes are others in number.

    Warns where every batch norm has the statistics that it begins with, mean 0 and variance 1, and
    of norms that multiply everything by 0. Values of another scale, such as the difference of two
    checkpoints, are not told.

    Raises ValueError where a checkpoint does not fit, in one line; the network is untouched then.
    """
    sources = weights.values() if isinstance(weights, Mapping) else [weights]
    known = all(isinstance(source, str | Path) or source is None for source in sources)
    if not known or weights == {}:
        raise ValueError(
            "weights must be None, 'imagenet', a file, a folder or a hub name, or a dict of these "
            f"by the names of encoders; received {weights!r}."
        )
    encoders = {layer.name: layer for layer in model.layers if layer.name.endswith("_encoder")}
    if weights == "imagenet":
        weights = dict.fromkeys(encoders, "imagenet")
    if isinstance(weights, Mapping):
        plan = _plan_encoders(encoders, weights)
    else:
        plan = _plan_network(model, encoders, weights)
    refuse_flat(plan)
    tell_fresh_statistics(plan)
    tell_closed_norms(plan)
    for variable, array in plan:
        variable.assign(array)


def published(encoder: keras.Layer) -> str:
    """The hub name of the ImageNet weights that an encoder starts from."""
    variant = getattr(encoder, "variant", None)
    if variant not in PUBLISHED:
        raise ValueError(
            f"No published weights for the sizes of {encoder.name}; there are some for "
            f"{', '.join(PUBLISHED)}. Name a file, or take None."
        )
    return PUBLISHED[variant]


def _plan_encoders(encoders: Mapping[str, keras.Layer], weights: Mapping) -> list:
    unknown = sorted(set(weights) - set(encoders))
    if unknown:
        raise ValueError(
            f"The network has no {', '.join(unknown)}; weights go to {', '.join(encoders)}."
        )
    plan = []
    for name, source in weights.items():
        if source is not None:
            source = published(encoders[name]) if source == "imagenet" else source
            plan += _plan_encoder(encoders[name], _read(source), source)
    return plan


def _plan_network(model, encoders: Mapping[str, keras.Layer], source) -> list:
    arrays = _read(source)
    for layout in NETWORKS:
        if layout.fits(arrays):
            variables = variables_by_path(model)
            arrays = match(variables, arrays, layout, source)
            return [(variables[path], array) for path, array in arrays.items()]
    if not any("depth" in name for name in encoders):
        plans = (_plan_encoder(encoder, arrays, source) for encoder in encoders.values())
        return [pair for plan in plans for pair in plan]
    raise ValueError(
        f"{source} does not hold a whole network; give the weights of the encoders as "
        "{'image_encoder': ..., 'depth_encoder': ...}."
    )


def _read(source) -> Mapping[str, np.ndarray]:
    """The arrays of a checkpoint, which must be finite floating-point numbers."""
    arrays = checkpoints.load(source)
    whole = [
        name
        for name, array in arrays.items()
        if array.dtype.kind != "f" and not name.endswith(_COUNTER)
    ]
    if whole:
        raise ValueError(
            f"{source} holds other than floating-point numbers, in {_listing(whole)}. Is it "
            "quantised? Take the weights as they were trained."
        )
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise ValueError(
            f"{source} has values that are not finite, in {_listing(broken)}. Is the file damaged, "
            "or of a training that diverged? Take another one."
        )
    return arrays


def _plan_encoder(encoder: keras.Layer, arrays: Mapping, source) -> list:
    layouts = LAYOUTS.get(type(encoder), ())
    for layout in layouts:
        if layout.fits(arrays):
            prefix = f"{encoder.name}/"
            variables = {
                path.removeprefix(prefix): variable
                for path, variable in variables_by_path(encoder).items()
            }
            arrays = match(variables, arrays, layout, source)
            return [(variables[path], array) for path, array in arrays.items()]
    raise ValueError(
        f"{source} holds no {type(encoder).__name__} in a known layout "
        f"({', '.join(layout.name for layout in layouts)}): its arrays are "
        f"{_listing(arrays)}. Is it a checkpoint of another architecture?"
    )


def variables_by_path(layer: keras.Layer) -> dict[str, keras.Variable]:
    """All variables of a layer or model but the states of its random generators."""
    seeds = "seed_generator_state"
    return {variable.path: variable for variable in layer.variables if seeds not in variable.path}


def match(
    variables: Mapping[str, keras.Variable],
    arrays: Mapping[str, np.ndarray],
    layout: Layout,
    source: str | Path,
) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint by our paths, turned to the shapes of our variables.

    Raises ValueError where the two are not the same set, but for what ``layout`` allows.
    """
    given, unknown, twice = {}, [], []
    for name, array in _split_pairs(arrays, layout.pairs).items():
        if name.endswith(_COUNTER) or re.fullmatch(layout.leftovers, name):
            continue
        paths = _find_paths(name, layout, variables)
        if not paths:
            unknown.append(name)
        for path in paths:
            twice += [name] if path in given else []
            given[path] = _orient(array, len(variables[path].shape))
    missing = [
        path for path in variables if path not in given and not re.fullmatch(layout.fresh, path)
    ]
    if unknown or missing or twice:
        both = {
            "there is no use for": unknown,
            "it lacks": missing,
            "it holds twice, by several names,": twice,
        }
        problems = [f"{what} {_listing(names)}" for what, names in both.items() if names]
        raise ValueError(
            f"{source} ({layout.name} layout) does not fit the network: "
            f"{', and '.join(problems)}. "
            "Is it of another size?"
        )
    _drop_other_classes(given, variables, source)
    for path, array in given.items():
        ours, theirs = tuple(variables[path].shape), array.shape
        if ours != theirs:
            is_grey = path == f"{layout.stem}/kernel" and (ours[2:3], theirs[2:3]) == ((3,), (1,))
            raise ValueError(
                f"{source} does not fit the network: {path} is {ours}, the checkpoint has "
                f"{theirs}. {GREY if is_grey else 'Is it of another size?'}"
            )
    return given


def _split_pairs(arrays: Mapping, pairs: str) -> dict[str, np.ndarray]:
    """Layers that are two in one, their outputs side by side, as two layers."""
    split = {}
    for name, array in arrays.items():
        layer, _, leaf = name.rpartition(".")
        if re.fullmatch(pairs, layer):
            first, second = np.split(array, 2)
            split |= {f"{layer}.first.{leaf}": first, f"{layer}.second.{leaf}": second}
        else:
            split[name] = array
    return split


def _find_paths(name: str, layout: Layout, variables: Mapping) -> list[str]:
    """Our paths for a source array: none, one, or two with statistics for each domain."""
    layer, _, leaf = name.rpartition(".")
    if leaf not in _LEAVES:
        layer, leaf = name, "weight"  # a bare parameter, such as a layer-scale
    path = layout.translate(layer)
    candidates = (f"{path}/{ours}" for ours in _LEAVES[leaf])
    return [candidate for candidate in candidates if candidate in variables]


def _orient(array: np.ndarray, rank: int) -> np.ndarray:
    """PyTorch's (out, in, h, w) or (out, in) -> (h, w, in, out) or (in, out)."""
    if array.ndim == 4 and rank == 2 and array.shape[2:] == (1, 1):
        array = array[:, :, 0, 0]
    return np.ascontiguousarray(array.transpose((2, 3, 1, 0) if array.ndim == 4 else None))


def _drop_other_classes(given: dict, variables: Mapping, source) -> None:
    """Leave out classifiers for another number of classes, with a warning."""
    for path in [path for path in given if path.endswith("classifier/kernel")]:
        theirs, ours = given[path].shape[-1], variables[path].shape[-1]
        if theirs != ours:
            layer = path.removesuffix("/kernel")
            del given[path], given[f"{layer}/bias"]
            warnings.warn(
                f"{source} knows {theirs} classes, the network {ours}: {layer} starts at random.",
                stacklevel=5,
            )


def _listing(names: Iterable[str]) -> str:
    return shorten(sorted(names), _SHOWN)
