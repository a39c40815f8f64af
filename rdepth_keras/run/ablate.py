"""A run scored without what it was trained with."""

from typing import Any

import jax
import numpy as np
from rich.console import Console

from rdepth_keras.evaluate.ablation import DEPTHS, ReplacedDepth, score_differences
from rdepth_keras.evaluate.confusion import Absent
from rdepth_keras.run.directory import write_json
from rdepth_keras.run.evaluation import Scoring, count, describe


def ablate_depth(scoring: Scoring, console: Console, absent: Absent = "union") -> dict[str, Any]:
    """Scores the run with its depth zeroed, shuffled between tiles, noised, and as luminance.

    Writes ``ablations/depth-…json`` into the run's directory and returns what it wrote: under
    ``"true"`` the scores, under each kind its scores and its differences to the true depth with
    their intervals, as fractions.

    Raises:
        ValueError: for a network that takes no depth.
    """
    predictor, table = scoring.predictor, scoring.dataset.table
    if "depth" not in predictor.input_names:
        raise ValueError(f"The network of {scoring.directory} takes no depth: nothing to ablate.")
    true = count(scoring, predictor.probabilities, scoring.tiles, console, "true depth")
    scores = true.scores(table, absent)
    result: dict[str, Any] = {
        **describe(scoring),
        **scores,
        "absent": absent,
        "tiles": len(true.ids),
        "true": scores,
    }
    for kind in DEPTHS:
        tiles = ReplacedDepth(scoring.tiles, kind)
        other = count(scoring, predictor.probabilities, tiles, console, f"depth {kind}")
        gap = score_differences(true, other, absent)
        result[kind] = other.scores(table, absent) | {
            "difference": {
                name: None if np.isnan(values).any() else [float(value) for value in values]
                for name, *values in zip(
                    (*table.names, "miou"), gap.value, gap.low, gap.high, strict=True
                )
            }
        }
    if jax.process_index() == 0:
        write_json(scoring.directory / "ablations" / f"depth-{scoring.name}.json", result)
    return result
