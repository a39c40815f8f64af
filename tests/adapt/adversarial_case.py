"""What both programs of the three steps agree on: sizes, settings, weights, batches.

NumPy alone, since one of the programs has no JAX and the other no PyTorch. Weights are drawn by one
generator a network, ``default_rng(seed)``, variable after variable in the order of their paths.
"""

import runpy
from pathlib import Path

DRAWS = runpy.run_path(str(Path(__file__).with_name("draws.py")))
CLASSES, SIZE, BATCH, WIDTH, STEPS = 5, 16, 2, 8, 3
RATE, MOMENTUM, DECAY, CLIP = 0.05, 0.9, 5e-4, 1.0
CRITIC_RATE, BETAS = 1e-2, (0.9, 0.99)
WIDTHS = (4, 6)

# Adversarial weights are far above the recipes': else three steps would not show them.
ADAPTSEGNET = {
    "auxiliary_weight": 0.5,
    "adversarial_weight": 0.8,
    "auxiliary_adversarial_weight": 0.3,
    "widths": WIDTHS,
}
CLAN = {
    "adversarial_weight": 0.5,
    "discrepancy_weight": 0.7,
    "local_weight": 10.0,
    "local_floor": 0.4,
    "warmup_fraction": 0.2,
    "widths": WIDTHS,
}
FADA = {
    "segmentation_weight": 0.4,
    "adversarial_weight": 0.6,
    "temperature": 1.8,
    "largest_label": 0.3,
    "widths": WIDTHS,
}
# Name -> method, the stages of the network's heads, settings.
CASES = {
    "adaptsegnet": ("adaptsegnet", (1, 2), ADAPTSEGNET),
    "transnorm": ("transnorm", (2, 2), ADAPTSEGNET),
    "clan": ("clan", (2, 2), {**CLAN, "weight_gradient": False}),
    "clan_released": ("clan", (2, 2), {**CLAN, "weight_gradient": True}),
    "fada": ("fada", (2,), FADA),
}


def shapes(method, stages):
    """Network -> path -> shape of params and buffers."""
    segmenter = {}
    for index, channels in ((1, 3), (2, WIDTH)):
        segmenter[f"conv{index}/kernel"] = (3, 3, channels, WIDTH)
        statistics = ["moving_mean", "moving_variance"]
        if method == "transnorm":
            statistics = [f"{d}_{s}" for d in ("source", "target") for s in ("mean", "variance")]
        for name in ("gamma", "beta", *statistics):
            segmenter[f"norm{index}/{name}"] = (WIDTH,)
    for index in range(1, len(stages) + 1):
        segmenter[f"head{index}/kernel"] = (WIDTH, CLASSES)
        segmenter[f"head{index}/bias"] = (CLASSES,)
    if method == "fada":
        layers = [("conv1", 3, WIDTH, WIDTHS[0]), ("conv2", 3, *WIDTHS)]
        layers += [(name, 3, WIDTHS[1], CLASSES) for name in ("source", "target")]
    else:
        sizes = (CLASSES, *WIDTHS, 1)
        layers = [(f"conv{i}", 4, *sizes[i - 1 : i + 1]) for i in range(1, len(sizes))]
    critic = {}
    for name, side, before, after in layers:
        critic[f"{name}/kernel"] = (side, side, before, after)
        critic[f"{name}/bias"] = (after,)
    both = {"segmenter": segmenter, "critic": critic}
    return {**both, "critic_auxiliary": critic} if method in ("adaptsegnet", "transnorm") else both


def draw(method, stages):
    """Network -> path -> float32 values, for :func:`shapes`."""
    return {
        network: DRAWS["draw_weights"](variables, seed)
        for seed, (network, variables) in enumerate(shapes(method, stages).items())
    }


def batch(seed):
    """Images uint8 (B, H, W, 3) and labels (B, H, W), some of them ignored."""
    return DRAWS["draw_batch"](seed, BATCH, SIZE, CLASSES)


def batches(step):
    """Of the source and of the target."""
    return batch(2 * step), batch(2 * step + 1)
