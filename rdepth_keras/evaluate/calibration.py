"""Whether a network's confidence is to be trusted: calibration and risk at coverage, streamed.

Confidence is the largest class probability of a pixel. Two histograms are all that is kept, with
the right pixels counted beside; the figures come from them afterwards. One has equal bins, for the
calibration. The other is of the doubt, 1 - confidence, and as fine near 0 as float32 itself: a
trained network puts most pixels there, and their order is what risk at coverage asks for.
"""

from dataclasses import dataclass

import numpy as np

from rdepth_keras.arrays import check_shape
from rdepth_keras.evaluate.confusion import divide
from rdepth_keras.labels import IGNORE, check_ids

FINE_BINS = 1500
MANTISSA_BITS = 11  # of the doubt; within a bin it differs by less than 1/2048 of itself
_DROPPED_BITS = 23 - MANTISSA_BITS
_LEAST = (127 - 24) << MANTISSA_BITS  # the bin of 2**-24, the least doubt above 0 in float32
DOUBT_BINS = (24 << MANTISSA_BITS) + 2
_SINGLE = ((MANTISSA_BITS + 1) << MANTISSA_BITS) + 1  # the bins before hold one float32 value each
SUM_TOLERANCE = 1e-3  # of a pixel's probabilities: far above rounding
_EULER = 0.5772156649015329


@dataclass(frozen=True)
class Confidence:
    """Counts over :data:`FINE_BINS` equal bins of confidence, (0, 1], each open below.

    Attributes:
        pixels: labelled pixels, int64 (bins,).
        right: those predicted right, int64 (bins,).
        total: sum of their confidences, float64 (bins,).
        doubt_pixels: labelled pixels, int64 (:data:`DOUBT_BINS`,), from certain to doubtful.
        doubt_right: those predicted right, int64 (:data:`DOUBT_BINS`,).
    """

    pixels: np.ndarray
    right: np.ndarray
    total: np.ndarray
    doubt_pixels: np.ndarray
    doubt_right: np.ndarray

    def __add__(self, other: "Confidence") -> "Confidence":
        ours, theirs = vars(self), vars(other)
        return Confidence(**{name: ours[name] + theirs[name] for name in ours})

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
        pixels, wrong = self._doubts()
        pixels, wrong = np.cumsum(pixels), np.cumsum(wrong)
        return pixels / max(pixels[-1:].sum(), 1), wrong / pixels

    def risk_area(self) -> float:
        """Area under the risk-coverage curve of single pixels, 0 at best; NaN without pixels.

        Equally confident pixels have no order: it is the mean over all their orders. That is exact
        but for the width of the bins, see :meth:`risk_bound`.
        """
        pixels, wrong = self._doubts()
        if not pixels.size:
            return float("nan")
        after = np.cumsum(pixels)
        before, wrong_before = after - pixels, np.cumsum(wrong) - wrong
        # The sum over j = 1..n of (W + j w / n) / (M + j), where M pixels with W wrong come before.
        rest = wrong_before - wrong * before / pixels
        return float((wrong + rest * (_harmonic(after) - _harmonic(before))).sum() / after[-1])

    def risk_bound(self) -> float:
        """How far at most the area of pixels sorted one by one is from :meth:`risk_area`.

        In a bin the wrong ones could come first, or last; where it holds a single float32 value,
        there is no order to know.
        """
        pixels, wrong = self._doubts()
        if not pixels.size:
            return float("nan")
        after, errors = np.cumsum(pixels), np.cumsum(wrong)
        before, errors_before = after - pixels, errors - wrong
        rising = wrong + (errors_before - before) * (_harmonic(before + wrong) - _harmonic(before))
        worst = rising + errors * (_harmonic(after) - _harmonic(before + wrong))
        level, turn = errors_before, after - wrong
        best = level * (_harmonic(turn) - _harmonic(before))
        best += wrong + (level - turn) * (_harmonic(after) - _harmonic(turn))
        unknown = np.flatnonzero(self.doubt_pixels) >= _SINGLE
        return float((worst - best)[unknown].sum() / after[-1])

    def _doubts(self) -> tuple[np.ndarray, np.ndarray]:
        """Pixels, and the wrong ones among them, of every bin of doubt that holds any."""
        held = self.doubt_pixels > 0
        return self.doubt_pixels[held], (self.doubt_pixels - self.doubt_right)[held]


def count_confidence(truth: np.ndarray, probabilities: np.ndarray) -> Confidence:
    """Counts one tile: train ids (H, W), 255 = ignore, and class probabilities (H, W, K).

    Raises ValueError for other shapes, train ids beyond the K classes, and numbers that are no
    probabilities: none is below 0, and those of a pixel sum to 1.
    """
    check_shape("probabilities", probabilities, (*truth.shape, None))
    valid = truth != IGNORE
    check_ids("truth", truth[valid], probabilities.shape[-1])
    _check_probabilities(probabilities)
    largest = probabilities.max(-1)[valid]
    confidence, doubt = largest.astype(np.float64), _doubt_bin(largest)
    right = probabilities.argmax(-1)[valid] == truth[valid]
    index = np.clip(np.ceil(confidence * FINE_BINS).astype(np.int64) - 1, 0, FINE_BINS - 1)
    return Confidence(
        pixels=np.bincount(index, minlength=FINE_BINS),
        right=np.bincount(index[right], minlength=FINE_BINS),
        total=np.bincount(index, confidence, minlength=FINE_BINS),
        doubt_pixels=np.bincount(doubt, minlength=DOUBT_BINS),
        doubt_right=np.bincount(doubt[right], minlength=DOUBT_BINS),
    )


def _check_probabilities(probabilities: np.ndarray) -> None:
    lowest, sums = probabilities.min(), probabilities.sum(-1, dtype=np.float32)
    if not (lowest >= 0 and sums.min() > 1 - SUM_TOLERANCE and sums.max() < 1 + SUM_TOLERANCE):
        raise ValueError(
            "Probabilities must be at least 0 and sum to 1 in every pixel; received a lowest of "
            f"{lowest:.4g} and sums from {sums.min():.4g} to {sums.max():.4g}. Of logits, take the "
            "softmax first."
        )


def _doubt_bin(confidence: np.ndarray) -> np.ndarray:
    """Number of the bin of 1 - confidence: 0 for none, then the leading bits of the float32."""
    doubt = np.clip(np.float32(1) - confidence.astype(np.float32), 0, 1)
    leading = (doubt.view(np.uint32) >> _DROPPED_BITS).astype(np.int64)
    return np.where(doubt > 0, leading - _LEAST + 1, 0)


def _harmonic(count: np.ndarray) -> np.ndarray:
    """1 + 1/2 + ... + 1/count, float64, to rounding."""
    first = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, 33))])
    large = np.maximum(count, 32).astype(np.float64)
    series = np.log(large) + _EULER + 1 / (2 * large) - 1 / (12 * large**2) + 1 / (120 * large**4)
    return np.where(count <= 32, first[np.minimum(count, 32)], series)
