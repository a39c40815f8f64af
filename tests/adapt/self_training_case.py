"""What both programs of the three steps agree on: sizes, settings, weights, batches.

NumPy alone, since one of the programs has no JAX and the other no PyTorch. All weights are drawn by
one ``default_rng(0)``, variable after variable in the order of their paths.
"""

import runpy
from pathlib import Path

DRAWS = runpy.run_path(str(Path(__file__).with_name("draws.py")))
CLASSES, SIZE, BATCH, WIDTH, STEPS = 5, 16, 4, 8, 3
RATE, MOMENTUM, DECAY, CLIP = 0.05, 0.9, 5e-4, 0.5
START = 0.3  # of the three steps, the first is on the source alone

# Name -> method, number of heads, settings. Weights are such that three steps show every term.
CASES = {
    "pycda": ("pycda", 1, {"confidence": 0.3, "prior_weight": 2.0}),
    "pycda_prior": ("pycda", 2, {"confidence": 0.25, "prior": (0.4, 0.3, 0.1, 0.1, 0.1)}),
    "cbst": ("cbst", 1, {"start": START}),
    "iast": ("iast", 1, {"start": START, "evenness_weight": 2.0}),
    "dca": ("dca", 1, {"start": START, "background": None}),
    "dca_released": ("dca", 2, {"start": START, "across_classes": True}),
}


def shapes(heads):
    """Path -> shape of params and buffers of the toy network with so many heads on its last map."""
    found = {}
    for index, channels in ((1, 3), (2, WIDTH)):
        found[f"conv{index}/kernel"] = (3, 3, channels, WIDTH)
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            found[f"norm{index}/{name}"] = (WIDTH,)
    for index in range(1, heads + 1):
        found[f"head{index}/kernel"] = (WIDTH, CLASSES)
        found[f"head{index}/bias"] = (CLASSES,)
    return found


def draw(heads):
    """Path -> float32 values, for :func:`shapes`."""
    return DRAWS["draw_weights"](shapes(heads), seed=0)


def batch(seed):
    """Images uint8 (B, H, W, 3) and labels (B, H, W), some of them ignored."""
    return DRAWS["draw_batch"](seed, BATCH, SIZE, CLASSES)


def batches(step):
    """Of the source, and of the target with labels as a round would give them."""
    return batch(2 * step), batch(2 * step + 1)
