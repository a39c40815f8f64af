"""What both sides of a comparison compute, as plain data: no library of either is imported here."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np

CLASSES = 7
IGNORE = 255
LEARNING_RATE = 1e-5  # constant, of AdamW with betas 0.9 and 0.999
WEIGHT_DECAY = 0.05  # none on one-dimensional variables
AUXILIARY_WEIGHT = 0.4


@dataclass(frozen=True)
class Case:
    """One thing to be timed.

    Attributes:
        kind: a training step, the prediction of a tile, or an image's depth.
        batch: images that go through together.
        pixels: side of the square images.
        network: fields of :class:`rdepth_keras.models.Twin`, encoders as depths and widths.
        window: side of the windows a tile is predicted in; None takes it as a whole.
    """

    kind: Literal["step", "infer", "depth"]
    batch: int
    pixels: int
    network: Mapping[str, Any] | None = None
    window: int | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


def draw_inputs(case: Case) -> dict[str, np.ndarray]:
    """Image (B, H, W, 3) uint8, depth (B, H, W, 1) in [0, 1], label (B, H, W) with 255 = ignore.

    The numbers are those of NumPy's frozen generator, the same in every process.
    """
    generator = np.random.RandomState(0)
    shape = (case.batch, case.pixels, case.pixels)
    label = generator.randint(0, CLASSES, shape)
    return {
        "image": generator.randint(0, 256, (*shape, 3)).astype(np.uint8),
        "depth": generator.rand(*shape, 1).astype(np.float32),
        "label": np.where(generator.rand(*shape) < 0.1, IGNORE, label).astype(np.uint8),
    }


def draw_pixels(case: Case) -> np.ndarray:
    """A normalised image for the depth network, (B, H, W, 3) float32."""
    generator = np.random.RandomState(0)
    return generator.standard_normal((case.batch, case.pixels, case.pixels, 3)).astype(np.float32)
