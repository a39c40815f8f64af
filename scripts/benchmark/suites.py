"""The cases by name: what ``scripts/bench.py`` measures unless told otherwise."""

from dataclasses import asdict, replace
from typing import Any

from benchmark.case import Case
from rdepth_keras.models import Twin
from rdepth_keras.models.encoders.convnext import VARIANTS
from rdepth_keras.recipes.demo import demo


def fields_of(network: Twin) -> dict[str, Any]:
    """The fields of a network of ConvNeXts, encoders as depths and widths.

    Nothing is dropped at random: both sides must compute the same numbers.
    """
    encoders = {
        name: {"depths": VARIANTS[variant][0], "widths": VARIANTS[variant][1]}
        for name, variant in network.encoders.items()
    }
    fields = {**asdict(replace(network, drop_path=0.0, dropout=0.0)), **encoders}
    return {name: value for name, value in fields.items() if name != "frozen"}  # JSON has no tuples


CONVNEXT_T = fields_of(Twin("tiny", None))
TWIN_TINY = fields_of(Twin("tiny", "tiny"))
DEMO = fields_of(demo().network)  # pyright: ignore[reportArgumentType]

CASES: dict[str, dict[str, Case]] = {
    "step": {
        "convnext_t": Case("step", 2, 256, CONVNEXT_T),
        "twin_tiny": Case("step", 2, 256, TWIN_TINY),
        "demo": Case("step", 8, 128, DEMO),
    },
    "infer": {
        "convnext_t_whole": Case("infer", 1, 1024, CONVNEXT_T),
        "convnext_t_slide": Case("infer", 1, 1024, CONVNEXT_T, window=512),
        "twin_tiny_whole": Case("infer", 1, 1024, TWIN_TINY),
        "twin_tiny_slide": Case("infer", 1, 1024, TWIN_TINY, window=512),
    },
    "depth": {"vit_small": Case("depth", 1, 518)},
}
GROWTH: dict[str, dict[int, Case]] = {
    "batch": {batch: Case("step", batch, 128, DEMO) for batch in (1, 2, 4)},
    "pixels": {pixels**2: Case("step", 1, pixels, DEMO) for pixels in (128, 192, 256)},
}
