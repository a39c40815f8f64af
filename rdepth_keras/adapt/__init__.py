"""What is minimised: training on the source alone, and the adaptation methods."""

from rdepth_keras.adapt.dgcd import DGCD
from rdepth_keras.adapt.method import SEGMENTER, Method
from rdepth_keras.adapt.source_only import SourceOnly

METHODS: dict[str, type[Method]] = {
    "source_only": SourceOnly,
    "dgcd": DGCD,
}

__all__ = ["DGCD", "METHODS", "SEGMENTER", "Method", "SourceOnly"]
