"""What every network is: a frozen dataclass of its sizes and parts that builds a Keras model."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from numbers import Real
from typing import Any

import keras

from rdepth_keras.arrays import check_count
from rdepth_keras.labels import MOST_CLASSES
from rdepth_keras.models.encoders import ENCODERS
from rdepth_keras.models.encoders.convnext import convnext
from rdepth_keras.models.heads import Output
from rdepth_keras.models.weights.load import load

JOINED = "concat"  # how encoders meet where nothing else is said


@dataclass(frozen=True)
class Architecture:
    """A network as data: its fields say all that decides its numbers but the weights.

    A new one is a subclass with fields, :meth:`connect`, and a line in
    ``rdepth_keras.models.ARCHITECTURES``. Parts are chosen by name, so that an experiment can store
    them; by hand a function does as well, and for an encoder ``{"depths": ..., "widths": ...}``, a
    ConvNeXt of another size. A field ``..._encoder`` holds an encoder, whose layer has the field's
    name: weights and rates go by it; where it is annotated as a plain ``str``, there is always
    one. ``__post_init__`` refuses with ValueError what cannot be.

    Attributes:
        frozen: encoders that do not train, by the names of their fields: they stay as they start,
            and cost no gradient.
    """

    frozen: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self):
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        for one in fields(self):
            if one.name.endswith("_encoder") and (one.type is str or given[one.name] is not None):
                choose(one.name, given[one.name], ENCODERS)
        known = isinstance(self.frozen, tuple) and set(self.frozen) <= set(self.encoders)
        if not known or len(set(self.frozen)) < len(self.frozen):
            raise ValueError(
                f"frozen must be a tuple of encoders of the network, {', '.join(self.encoders)}, "
                f"each once; received {self.frozen!r}."
            )
        for name in ("channels", "auxiliary_channels"):
            if given.get(name) is not None:
                check_count(name, given[name])
        if given.get("fusion", JOINED) != JOINED and not self.reads_depth:
            raise ValueError(
                f"fusion {given['fusion']!r} joins image and depth, and there is no depth encoder: "
                f"name one, or leave fusion at {JOINED!r}."
            )

    def connect(self, classes: int, *, dtype, remat: bool, accumulate: int) -> tuple[dict, dict]:
        """The inputs by name, and the maps by name that :meth:`end` takes, all Keras tensors."""
        raise TypeError(f"{type(self).__name__} does not say how it is connected.")

    def end(self, taps: bool) -> keras.Layer:
        """The last layer: what the network hands out."""
        return Output(taps, name="logits")

    def build(
        self,
        classes: int = 7,
        *,
        weights=None,
        taps: bool = False,
        dtype=None,
        remat: bool = False,
        accumulate: int = 1,
        name: str | None = None,
    ) -> keras.Model:
        """A functional model, ``{"image"[, "depth"]}`` -> float32 logits (B, H, W, classes).

        ``image``: RGB 0..255, (B, H, W, 3); ``depth``: [0, 1], (B, H, W, 1); any size from 32
        pixels on. Random weights are drawn from ``keras.utils.set_random_seed``'s generator.

        Args:
            classes: number of classes, 1 to 255.
            weights: None for random ones, else see :func:`rdepth_keras.models.weights.load.load`.
            taps: hands out all maps instead, over the same variables: ``logits`` and ``auxiliary``
                (both float32, at the stride of the decoder and of stage 3; a network without that
                head has no such entry) and ``features``, the tuple of the four maps the decoder
                sees. ``logits`` is a tuple where several heads predict together.
            dtype: a Keras policy of floats such as ``"mixed_bfloat16"``; None is Keras's own. Of
                float16 ``compile`` scales the loss, but not of a clone or of a file: those take
                Keras's own policy, so set that.
            remat: computes the encoders' branches twice instead of keeping them: less memory.
            accumulate: in training, the encoders take the batch in so many equal parts, one after
                the other, and the rest sees it whole: the numbers of the whole batch, the encoders'
                memory of one part. Not for encoders with batch norm (ResNet).
            name: of the model; None takes the class's.

        Raises:
            ValueError: for an argument that cannot be, weights that do not fit, or what the
                encoders cannot do.
        """
        check_count("classes", classes, MOST_CLASSES)
        check_count("accumulate", accumulate)
        for name_, value in {"taps": taps, "remat": remat}.items():
            if not isinstance(value, bool):
                raise ValueError(f"{name_} must be True or False; received {value!r}.")
        _check_floats(dtype)
        options = {"dtype": dtype, "remat": remat, "accumulate": accumulate}
        inputs, maps = self.connect(classes, **options)
        model = keras.Model(inputs, self.end(taps)(maps), name=name or type(self).__name__.lower())
        if dtype is not None:
            model.dtype_policy = dtype  # by which Keras scales the loss of float16
        _expect_batches(model)
        if weights is not None:
            load(model, weights)
        self._freeze(model)
        return model

    @property
    def encoders(self) -> dict[str, Any]:
        """Names of the encoders' layers -> the encoders, by their names."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: encoder
            for name, encoder in given.items()
            if name.endswith("_encoder") and encoder is not None
        }

    def _freeze(self, model: keras.Model) -> None:
        for name in self.frozen:
            model.get_layer(name).trainable = False

    @property
    def reads_depth(self) -> bool:
        """Whether there is an input ``depth``."""
        return any("depth" in name for name in self.encoders)


def choose(kind: str, choice, table: Mapping):
    """A name -> what the table holds for it; sizes of a ConvNeXt -> that encoder.

    A function stands for itself. Raises ValueError for an unknown name, and anything else.
    """
    if isinstance(choice, Mapping) and choice.keys() >= {"depths", "widths"}:
        return partial(convnext, **choice)
    if choice not in table if isinstance(choice, str) else not callable(choice):
        raise ValueError(f"Unknown {kind} {choice!r}; known are {', '.join(sorted(table))}.")
    return table[choice] if isinstance(choice, str) else choice


def check_rates(**rates: float) -> None:
    """Raises ValueError for a probability of dropping outside [0, 1), by its name."""
    for name, rate in rates.items():
        if not isinstance(rate, Real) or not 0 <= rate < 1:
            raise ValueError(f"{name} must be at least 0 and below 1; received {rate!r}.")


def _check_floats(dtype) -> None:
    try:
        policy = keras.dtype_policies.get(dtype)
        floats = keras.backend.is_float_dtype(policy.compute_dtype)
    except ValueError:  # of a name that Keras does not know, in several words
        policy, floats = None, False
    if policy is None or not floats or policy.quantization_mode:
        raise ValueError(
            "dtype must be a policy of floats, such as 'float32' or 'mixed_bfloat16'; received "
            f"{dtype!r}."
        )


def _expect_batches(model: keras.Model) -> None:
    """Refuse an image without batch axis in one line; Keras's own message prints its pixels."""
    specs = model.input_spec
    for spec in specs:
        spec.min_ndim = 4 if spec.name == "image" else None
    model.input_spec = specs
