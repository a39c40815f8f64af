"""Whether a network's confidence is to be trusted: calibration and risk at coverage, streamed.

Confidence is the largest class probability of a pixel. One fine histogram of it, with the right
pixels counted beside, is all that is kept; the figures come from it afterwards.
"""

from dataclasses import dataclass

import numpy as np

from rdepth_keras.evaluate.confusion import divide
from rdepth_keras.labels import IGNORE

FINE_BINS = 1500


@dataclass(frozen=True)
class Confidence:
    """Counts over :data:`FINE_BINS` equal bins of confidence, (0, 1], each open below.

    Attributes:
        pixels: labelled pixels, int64 (bins,).
        right: those predicted right, int64 (bins,).
        total: sum of their confidences, float64 (bins,).
    """

    pixels: np.ndarray
    right: np.ndarray
    total: np.ndarray

    def __add__(self, other: "Confidence") -> "Confidence":
        return Confidence(
            self.pixels + other.pixels, self.right + other.right, self.total + other.total
        )

    def reliability(self, bins: int = 15) -> dict[str, np.ndarray]:
        """``share`` of the pixels, ``accuracy`` and mean ``confidence`` of equal bins; (bins,).

        NaN where a bin is empty. Raises ValueError unless the bins divide :data:`FINE_BINS`.
        """
        if bins < 1 or FINE_BINS % bins:
            raise ValueError(f"bins must divide {FINE_BINS}; received {bins}.")
        pixels, right, total = (
            part.reshape(bins, -1).sum(1) for part in (self.pixels, self.right, self.total)
        )
        return {
            "share": divide(pixels, pixels.sum()),
            "accuracy": divide(right, pixels),
            "confidence": divide(total, pixels),
        }

    def calibration_error(self, bins: int = 15) -> float:
        """Expected calibration error: the mean gap between confidence and accuracy.

        Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3.
        """
        table = self.reliability(bins)
        gap = np.abs(table["accuracy"] - table["confidence"]) * table["share"]
        return float(np.nansum(gap)) if self.pixels.sum() else float("nan")

    def risk_coverage(self) -> tuple[np.ndarray, np.ndarray]:
        """Coverage, and the share of wrong pixels among the most confident that make it up.

        Source: Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks", 2017.
        One point for every bin that holds pixels, by rising coverage.
        """
        held = self.pixels[::-1] > 0
        pixels = np.cumsum(self.pixels[::-1])[held]
        wrong = np.cumsum((self.pixels - self.right)[::-1])[held]
        return pixels / max(self.pixels.sum(), 1), wrong / pixels

    def risk_area(self) -> float:
        """Area under the risk-coverage curve, 0 at best; each bin counts by its pixels."""
        coverage, risk = self.risk_coverage()
        steps = np.diff(coverage, prepend=0.0)
        return float((steps * risk).sum()) if coverage.size else float("nan")


def count_confidence(truth: np.ndarray, probabilities: np.ndarray) -> Confidence:
    """Counts one tile: train ids (H, W), 255 = ignore, and class probabilities (H, W, K)."""
    valid = truth != IGNORE
    confidence = probabilities.max(-1)[valid].astype(np.float64)
    right = probabilities.argmax(-1)[valid] == truth[valid]
    index = np.clip(np.ceil(confidence * FINE_BINS).astype(np.int64) - 1, 0, FINE_BINS - 1)
    return Confidence(
        pixels=np.bincount(index, minlength=FINE_BINS),
        right=np.bincount(index[right], minlength=FINE_BINS),
        total=np.bincount(index, confidence, minlength=FINE_BINS),
    )
