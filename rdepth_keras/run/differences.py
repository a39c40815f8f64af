"""How far runs are from another on the same tiles, and what they were trained on otherwise."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from rdepth_keras.evaluate.bootstrap import LEAST_TILES, bootstrap_difference
from rdepth_keras.evaluate.confusion import mean_iou
from rdepth_keras.evaluate.counts import Counts
from rdepth_keras.run.ancestry import trained_on
from rdepth_keras.run.scores import Evaluated


def paired_differences(base: Evaluated, family: Sequence[Evaluated]) -> tuple[str, ...]:
    """In words, how far each is from the first evaluation of its protocol, over its tiles.

    And what its training had other files of, where both have such files.
    """
    others = [found for found in family if found is not base]
    said = [
        line for found in others for line in (_difference(base, found), _other_files(base, found))
    ]
    return tuple(filter(None, said))


def _other_files(base: Evaluated, found: Evaluated) -> str:
    one, other = trained_on(base.run), trained_on(found.run)
    kinds = [k for k in one if k in other and one[k] != other[k] and not k.startswith("depth ")]
    if not kinds:
        return ""
    return f"{found.title} and {base.title} were trained on other {', '.join(kinds)}."


def _difference(base: Evaluated, found: Evaluated) -> str:
    ours, theirs = (one.run.evaluations.counts(one.name) for one in (base, found))
    if other := _other(base, found, ours, theirs):
        return f"{found.title} and {base.title} were scored on different {other}."
    score = partial(mean_iou, absent=base.result.get("absent", "union"))
    gap = bootstrap_difference(ours.confusions, theirs.confusions, score)
    interval = f"[{100 * gap.low:+.2f}, {100 * gap.high:+.2f}]"
    over = f"bootstrap over {len(ours.ids)} tiles"
    if gap.unknown:
        interval, over = "unknown", f"it takes at least {LEAST_TILES} tiles"
    return (
        f"{found.title} minus {base.title}: {100 * gap.value:+.2f} mIoU, {gap.level:.0%} "
        f"interval {interval} ({over})"
    )


def _other(base: Evaluated, found: Evaluated, ours: Counts, theirs: Counts) -> str:
    """What two evaluations do not share of what they were scored on; empty where they may."""
    if ours.ids != theirs.ids:
        return "tiles"
    if (_truth(ours) != _truth(theirs)).any():
        return "labels, or with classes in another order"
    one, other = (evaluated.result.get("files", {}) for evaluated in (base, found))
    kinds = [kind for kind in one if kind in other and one[kind] != other[kind]]
    return f"files of {' and '.join(kinds)}" if kinds else ""


def _truth(counts: Counts) -> np.ndarray:
    """Labelled pixels of each tile and class: the same wherever the labels are."""
    return counts.confusions.sum(-1)
