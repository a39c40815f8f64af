"""Three steps of DAFormer with MIC as a plain loop in PyTorch: the golden of test_daformer.py.

    python tests/adapt/make_daformer.py draws     # with JAX: the masks that the method draws
    python tests/adapt/make_daformer.py golden    # with PyTorch, in an environment of its own

The first writes what is drawn at random, the second reads it; neither needs the other's packages.
Weights and batches are NumPy's, variable after variable in the order of :func:`shapes`.
"""

import sys
from pathlib import Path

import numpy as np

CLASSES, SIZE, BATCH, WIDTH, STEPS, SEED = 5, 16, 3, 8, 3, 4
RATE, MOMENTUM, DECAY = 0.05, 0.9, 5e-4
SETTINGS = {
    "average": "all",
    "decay": 0.6,
    "confidence": 0.3,
    "mixed_weight": 0.8,
    "feature_weight": 0.2,
    "feature_classes": (0, 1, 3),
    "masked_weight": 0.5,
    "masked_share": 0.4,
    "masked_block": 4,
}
MEAN = (123.675, 116.28, 103.53)
GOLDEN = Path(__file__).with_name("golden") / "daformer.npz"


def shapes():
    """Path -> shape; kernels (h, w, in, out)."""
    found = {}
    for index, channels in ((1, 3), (2, WIDTH)):
        found[f"image_encoder/conv{index}/kernel"] = (3, 3, channels, WIDTH)
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            found[f"image_encoder/norm{index}/{name}"] = (WIDTH,)
    return found | {"head/kernel": (WIDTH, CLASSES), "head/bias": (CLASSES,)}


def weights():
    """Path -> float32 array."""
    rng, found = np.random.default_rng(SEED), {}
    for path, shape in shapes().items():
        scale = 0.4 if path.endswith("kernel") else 0.2
        values = scale * rng.standard_normal(shape)
        ones = path.endswith(("gamma", "moving_variance"))
        found[path] = (np.abs(1 + values) if ones else values).astype(np.float32)
    return found


def batch(domain, step):
    """Images whose colour tells the class; labels of 4 x 4 pixels, some of them ignored."""
    rng = np.random.default_rng([domain, step])
    blocks = rng.integers(0, CLASSES, (BATCH, 4, 4))
    label = blocks.repeat(4, 1).repeat(4, 2).astype(np.uint8)
    colour = np.stack([label * 50, 255 - label * 40, label * 20 + 30 * domain], -1)
    image = np.clip(colour + rng.normal(0, 25, colour.shape), 0, 255).astype(np.float32)
    label[:, :3] = 255
    return {"image": image, "label": label}


def draws():
    """The masks and holes that the method draws, from its own keys."""
    import jax

    from rdepth_keras.adapt.mixing import class_masks, hide

    masks, holes = [], []
    for step in range(STEPS):
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(SEED), step), 0)
        keys = jax.random.split(key, 7)
        masks.append(class_masks(batch(0, step)["label"], keys[2], CLASSES))
        _, hiding, _ = jax.random.split(keys[5], 3)
        blank = {"image": np.full((BATCH, SIZE, SIZE, 3), -1, np.float32)}
        options = {"share": SETTINGS["masked_share"], "block_pixels": SETTINGS["masked_block"]}
        holes.append(hide(blank, hiding, ["image"], **options)["image"][..., 0] >= 0)
    np.savez_compressed(GOLDEN, masks=np.array(masks), holes=np.array(holes))


def golden():
    """Reads the draws, adds losses, params, statistics and teacher after the last step."""
    import torch
    import torch.nn.functional as F

    drawn = dict(np.load(GOLDEN))
    masks, holes = torch.tensor(drawn["masks"]), torch.tensor(drawn["holes"])
    statistics = ("moving_mean", "moving_variance")
    all_values = {path: torch.tensor(value) for path, value in weights().items()}
    own = {
        p: v.clone().requires_grad_() for p, v in all_values.items() if not p.endswith(statistics)
    }
    running = {p: v.clone() for p, v in all_values.items() if p.endswith(statistics)}
    first = {p: v.clone() for p, v in all_values.items()}
    teacher = {p: v.detach().clone() for p, v in own.items()}
    velocity = {p: torch.zeros_like(v) for p, v in own.items()}

    def convolve(x, kernel, stride):
        return F.conv2d(x, kernel.permute(3, 2, 0, 1), stride=stride, padding=1)

    def forward(values, image, moving=None, fixed=None):
        """Logits and last map; ``moving`` statistics follow the batch, ``fixed`` ones are used."""
        x = image.permute(0, 3, 1, 2) / 127.5 - 1
        for index, stride in ((1, 2), (2, 1)):
            name = f"image_encoder/norm{index}"
            x = convolve(x, values[f"image_encoder/conv{index}/kernel"], stride)
            if fixed is None:
                mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
                if moving is not None:
                    unbiased = x.var((0, 2, 3), unbiased=True)
                    for kind, value in (("moving_mean", mean), ("moving_variance", unbiased)):
                        old = moving[f"{name}/{kind}"]
                        moving[f"{name}/{kind}"] = 0.9 * old + 0.1 * value.detach()
            else:
                mean, variance = fixed[f"{name}/moving_mean"], fixed[f"{name}/moving_variance"]
            x = (x - mean[:, None, None]) / torch.sqrt(variance + 1e-5)[:, None, None]
            x = x * values[f"{name}/gamma"][:, None, None] + values[f"{name}/beta"][:, None, None]
            x = torch.relu(x)
        logits = torch.einsum("bchw,ck->bkhw", x, values["head/kernel"])
        return logits + values["head/bias"][:, None, None], x

    def entropy(logits, label, factors=None):
        logits = F.interpolate(logits, (SIZE, SIZE), mode="bilinear", align_corners=False)
        found = F.cross_entropy(logits, label.long(), ignore_index=255, reduction="none")
        return (found if factors is None else factors * found).mean()

    def cells(label):
        found = torch.full((BATCH, 8, 8), 255)
        for place in np.ndindex(BATCH, 8, 8):
            image, row, column = place
            window = label[image, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            for kind in range(CLASSES):
                if (window == kind).float().mean() >= 0.75:
                    found[place] = kind
        return found

    losses, s = [], SETTINGS
    for step in range(STEPS):
        source, target = ({k: torch.tensor(v) for k, v in batch(d, step).items()} for d in (0, 1))
        logits, encoded = forward(own, source["image"], running)
        loss = entropy(logits, source["label"])

        _, reference = forward(first, source["image"], fixed=first)
        counted = torch.isin(cells(source["label"]), torch.tensor(s["feature_classes"]))
        distance = torch.linalg.vector_norm(encoded - reference, dim=1)[counted].mean()
        loss = loss + s["feature_weight"] * distance

        with torch.no_grad():
            guessed, _ = forward(teacher, target["image"])
            guessed = F.interpolate(guessed, (SIZE, SIZE), mode="bilinear", align_corners=False)
            best, guess = guessed.softmax(1).max(1)
            sure = (best >= s["confidence"]).float().mean()
        mask = masks[step]
        mixed = torch.where(mask[..., None], source["image"], target["image"])
        label = torch.where(mask, source["label"].long(), guess)
        factors = torch.where(mask, torch.ones(()), sure)
        logits, _ = forward(own, mixed, running)
        loss = loss + s["mixed_weight"] * entropy(logits, label, factors)

        hidden = torch.where(holes[step][..., None], torch.tensor(MEAN), target["image"])
        logits, _ = forward(own, hidden, running)
        loss = loss + s["masked_weight"] * entropy(logits, guess, sure.expand(guess.shape))

        gradients = torch.autograd.grad(loss, list(own.values()))
        losses.append(loss.item())
        with torch.no_grad():
            for (path, value), gradient in zip(own.items(), gradients, strict=True):
                velocity[path] = MOMENTUM * velocity[path] + gradient + DECAY * value
                value -= RATE * velocity[path]
                decay = min(1 - 1 / (step + 2), s["decay"])
                teacher[path] = decay * teacher[path] + (1 - decay) * value
    np.savez_compressed(
        GOLDEN,
        **{name: drawn[name] for name in ("masks", "holes")},
        losses=np.array(losses),
        **{f"params/{path}": value.detach().numpy() for path, value in own.items()},
        **{f"buffers/{path}": value.numpy() for path, value in running.items()},
        **{f"teacher/{path}": value.numpy() for path, value in teacher.items()},
    )


if __name__ == "__main__":
    {"draws": draws, "golden": golden}[sys.argv[1]]()
