"""A run tried without what it was trained with."""

from typing import Any

import jax
import numpy as np
from rich.console import Console

from rdepth_keras.evaluate.ablation import DEPTHS, ReplacedDepth, score_differences
from rdepth_keras.evaluate.confusion import Absent
from rdepth_keras.run.evaluation import Trial, count, describe


def ablate_depth(trial: Trial, console: Console, absent: Absent = "union") -> dict[str, Any]:
    """Scores the run with its depth zeroed, shuffled between tiles, noised, and as luminance.

    Writes ``ablations/depth-…json`` into the run's directory and returns what it wrote: under
    ``"true"`` the scores, under each kind its scores and its differences to the true depth with
    their intervals, as fractions; None for intervals where tiles are too few.

    Raises:
        ValueError: for a network that takes no depth, and where no pixel has a label.
    """
    table = trial.table
    if "depth" not in trial.predictor.input_names:
        raise ValueError(f"The network of {trial.run} takes no depth: nothing to ablate.")
    true = count(trial, trial.tiles, console, "true depth")
    scores = true.scores(table, absent)
    result: dict[str, Any] = {
        **describe(trial),
        **scores,
        "absent": absent,
        "tiles": len(true.ids),
        "true": scores,
    }
    for kind in DEPTHS:
        other = count(trial, ReplacedDepth(trial.tiles, kind), console, f"depth {kind}")
        gap = score_differences(true, other, absent)
        result[kind] = other.scores(table, absent) | {
            "difference": {
                name: None if np.isnan(values[0]) else [_known(value) for value in values]
                for name, *values in zip(
                    (*table.names, "miou"), gap.value, gap.low, gap.high, strict=True
                )
            }
        }
    if jax.process_index() == 0:
        trial.run.write_ablation(f"depth-{trial.name}", result)
    return result


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
