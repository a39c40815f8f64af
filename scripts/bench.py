"""Measures what the package promises about speed; nothing else should run meanwhile.

    python scripts/bench.py depth --reference PYTHON

``depth``: seconds an image for Depth Anything ViT-S at 518 x 518, random weights; with
``--reference``, a Python that has PyTorch and transformers, in turns with theirs.
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from rdepth_keras.command import guarded, parse

REFERENCE = Path(__file__).resolve().parents[1] / "tests" / "depth" / "time_reference.py"
SIDE = 518


@dataclass(frozen=True)
class Arguments:
    what: Annotated[Literal["depth"], tyro.conf.Positional]
    reference: str | None = None
    """A Python with PyTorch and transformers, to compare with."""
    rounds: int = 3
    """How often the two take turns; the fastest image of all rounds counts."""
    images: int = 4
    """Images a round."""


def time_depth(images: int) -> list[float]:
    """Seconds of each image, after one that compiles."""
    estimator = _vit_small()
    pixels = np.random.default_rng(0).standard_normal((1, SIDE, SIDE, 3)).astype(np.float32)
    estimator.estimate(pixels, (SIDE, SIDE))
    seconds = []
    for _ in range(images):
        start = time.perf_counter()
        estimator.estimate(pixels, (SIDE, SIDE))
        seconds.append(time.perf_counter() - start)
    return seconds


def _vit_small():
    from rdepth_keras.depth.estimator import DepthEstimator, build_backbone

    return DepthEstimator(
        build_backbone(
            {
                "backbone_config": {
                    "hidden_size": 384,
                    "num_attention_heads": 6,
                    "image_size": SIDE,
                    "out_indices": [9, 10, 11, 12],
                }
            }
        )
    )


def main() -> int:
    arguments = parse(Arguments)
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        ours += time_depth(arguments.images)
        if arguments.reference:
            command = [arguments.reference, str(REFERENCE), str(arguments.images)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            theirs += [float(word) for word in said.split()]
    print(f"ours       {min(ours):.2f} s an image (median {np.median(ours):.2f})")
    if theirs:
        print(f"PyTorch    {min(theirs):.2f} s an image (median {np.median(theirs):.2f})")
        print(f"ratio      {min(ours) / min(theirs):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
