"""How a tile is predicted."""

from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal, get_args

from rdepth_keras.arrays import check_count
from rdepth_keras.infer.views import Views
from rdepth_keras.tiling import Blend

LEAST_PIXELS = 32  # of a side, which the networks need; smaller windows are filled up
MOST_WINDOWS = 4096  # in a batch; a typing error beyond, which would fill the memory
Average = Literal["logits", "probabilities"]


@dataclass(frozen=True)
class Inference:
    """How a tile is predicted. The defaults are the paper's: 512/512, logits averaged.

    Attributes:
        window_pixels: side of the square window; None takes the tile as a whole.
        stride_pixels: distance between windows; None is the window itself (no overlap).
        blend: weights of overlapping windows, "uniform" or "tapered".
        average: what is averaged over windows and views, "logits" or "probabilities".
        views: "one", the four "flips", or the eight "symmetries" of the square.
        scales: sizes at which the tile is seen, as factors (1/8 to 8) of its own; the windows stay
            as large.
        window_batch: windows that go through the network together on each device.
    """

    window_pixels: int | None = 512
    stride_pixels: int | None = None
    blend: Blend = "uniform"
    average: Average = "logits"
    views: Views = "one"
    scales: tuple[float, ...] = (1.0,)
    window_batch: int = 4

    def __post_init__(self):
        for name, kind in (("blend", Blend), ("average", Average), ("views", Views)):
            value, known = getattr(self, name), get_args(kind)
            if value not in known:
                raise ValueError(f"{name} must be one of {known}; received {value!r}.")
        for name in ("window_pixels", "stride_pixels", "window_batch"):
            if name == "window_batch" or getattr(self, name) is not None:
                most = MOST_WINDOWS if name == "window_batch" else None
                check_count(name, getattr(self, name), most)
        numbers = isinstance(self.scales, tuple) and all(map(_is_number, self.scales))
        if not numbers or not self.scales:
            raise ValueError(
                f"scales must be factors, one or more in a tuple; received {self.scales!r}."
            )
        if not all(1 / 8 <= scale <= 8 for scale in self.scales):
            raise ValueError(f"scales must be factors from 1/8 to 8; received {self.scales}.")
        if len(set(self.scales)) < len(self.scales):
            raise ValueError(f"scales must differ from one another; received {self.scales}.")
        if self.stride_pixels and self.stride_pixels > (self.window_pixels or 0):
            raise ValueError(
                f"stride_pixels ({self.stride_pixels}) must be at most window_pixels "
                f"({self.window_pixels}), or pixels between the windows would have no prediction; "
                "use a smaller stride, or None where there is no window."
            )

    @property
    def overlaps(self) -> bool:
        """Whether windows overlap by their distance; where they do not, only at odd edges."""
        return self.stride_pixels is not None and self.stride_pixels < (self.window_pixels or 0)

    def essence(self) -> "Inference":
        """What decides the prediction: with the usual number of windows together."""
        return replace(self, window_batch=type(self).window_batch)

    def whole(self) -> "Inference":
        """The same of whole tiles, without windows: so without their stride and seams."""
        return replace(self, window_pixels=None, stride_pixels=None, blend="uniform")

    def seamless(self) -> "Inference":
        """The same with windows that overlap by half and fade into one another."""
        if self.window_pixels is None:
            return self
        return replace(self, stride_pixels=-(-self.window_pixels // 2), blend="tapered")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
