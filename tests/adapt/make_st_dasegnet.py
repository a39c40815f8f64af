"""Three steps of ST-DASegNet as plain loops in PyTorch, for test_st_dasegnet.py.

It knows neither this package nor JAX; run it with a Python that has PyTorch and NumPy:

    python tests/adapt/make_st_dasegnet.py

Written after the method's description and the order of its release: the students' update first,
then the critics' on detached maps; the source's critic calls the source 1, which is its logits with
the other sign; normalised convolutions have their biases. In float64; the golden is float32.
"""

import runpy
from pathlib import Path

import numpy as np

DRAWS = runpy.run_path(str(Path(__file__).with_name("draws.py")))
CLASSES, SIZE, BATCH, WIDTH, STEPS = 5, 16, 2, 8, 3
RATE, MOMENTUM, DECAY, HEAD_FACTOR = 0.05, 0.9, 5e-4, 2.0
CRITIC_RATE, BETAS = 1e-2, (0.9, 0.99)
# Weights are far above the recipes': else three steps would not show them.
SETTINGS = {
    "pseudo_weight": 0.8,
    "adversarial_weight": 0.6,
    "critic_weight": 0.7,
    "decay": 0.6,
    "confidence": 0.35,
    "counted_confidence": 0.3,
    "class_weights": (1.0, 1.25, 1.25, 1.0, 1.5),
    "pseudo_class_weights": (1.01, 1.51, 1.51, 1.01, 2.01),
    "average": "all",
    "widths": (4, 6),
    "halvings": 1,
}
STYLES = ("source", "target")
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
GOLDEN = Path(__file__).with_name("golden") / "st_dasegnet.npz"


def shapes():
    """Network -> path -> shape of params and buffers; kernels (h, w, in, out)."""
    segmenter = {}

    def norm(name):
        for one in ("gamma", "beta", "moving_mean", "moving_variance"):
            segmenter[f"{name}/{one}"] = (WIDTH,)

    def dense(name, *shape):
        segmenter[f"{name}/kernel"], segmenter[f"{name}/bias"] = shape, shape[-1:]

    for style in STYLES:
        for index, channels in ((1, 3), (2, WIDTH)):
            segmenter[f"{style}_encoder/conv{index}/kernel"] = (3, 3, channels, WIDTH)
            norm(f"{style}_encoder/norm{index}")
        segmenter[f"{style}_decoder/fuse/conv/kernel"] = (5 * WIDTH, WIDTH)
        norm(f"{style}_decoder/fuse/norm")
        dense(f"{style}_head/classifier", WIDTH, CLASSES)
    for stage in (1, 2, 3, 4):
        for part in ("hidden", *STYLES):
            dense(f"distinct{stage}/{part}", WIDTH, WIDTH)
    for part in ("joint", *STYLES):
        dense(f"universal/{part}", 3, 3, WIDTH, WIDTH)
    critic = {"conv1/kernel": (4, 4, WIDTH, 4), "conv1/bias": (4,), "conv2/kernel": (4, 4, 4, 6)}
    critic |= {"conv3/kernel": (4, 4, 6, 1), "conv3/bias": (1,)}
    return {"segmenter": segmenter, "critic_source": critic, "critic_target": critic}


def is_buffer(path):
    return path.endswith(("moving_mean", "moving_variance"))


def draw():
    """Network -> path -> float32 values; ``teacher`` are the decoders and heads it starts with."""
    wanted = shapes()
    heads = ("source_decoder", "target_decoder", "source_head", "target_head")
    own = {path: shape for path, shape in wanted["segmenter"].items() if path.startswith(heads)}
    wanted["teacher"] = {path: shape for path, shape in own.items() if not is_buffer(path)}
    return {
        network: DRAWS["draw_weights"](variables, seed)
        for seed, (network, variables) in enumerate(wanted.items())
    }


def batch(seed):
    """Images uint8 (B, H, W, 3) and labels (B, H, W), some of them ignored."""
    return DRAWS["draw_batch"](seed, BATCH, SIZE, CLASSES)


def batches(step):
    """Of the source and of the target."""
    return batch(2 * step), batch(2 * step + 1)


def golden():
    """Writes the values after the last step."""
    import torch
    import torch.nn.functional as F

    def conv(x, values, name, stride=1):
        kernel = values[f"{name}/kernel"].permute(3, 2, 0, 1)
        return F.conv2d(x, kernel, values.get(f"{name}/bias"), stride, 1)

    def dense(x, values, name):
        return x @ values[f"{name}/kernel"] + values[f"{name}/bias"]

    def batch_norm(x, values, name, moving=None):
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=True)
        for kind, now in (("mean", mean), ("variance", variance)) if moving else ():
            old = moving[f"{name}/moving_{kind}"]
            moving[f"{name}/moving_{kind}"] = 0.9 * old + 0.1 * now.detach()
        return F.batch_norm(
            x, None, None, values[f"{name}/gamma"], values[f"{name}/beta"], training=True
        )

    def encode(values, style, image, moving):
        x, maps = (torch.tensor(image.astype(np.float64)) - torch.tensor(MEAN)), []
        x = (x / torch.tensor(STD)).permute(0, 3, 1, 2)
        for index, stride in ((1, 2), (2, 1)):
            x = conv(x, values, f"{style}_encoder/conv{index}", stride)
            x = F.relu(batch_norm(x, values, f"{style}_encoder/norm{index}", moving))
            maps.append(x)
        return [maps[0], maps[0], maps[0], maps[1]]

    def weigh_channels(values, name, pair):
        both = torch.stack(pair, 1)
        hidden = dense(both.sum(1).mean((2, 3)), values, f"{name}/hidden")
        scores = torch.stack([dense(hidden, values, f"{name}/{style}") for style in STYLES], 1)
        return torch.unbind(both * scores.softmax(1)[..., None, None], 1)

    def universal(values, pair):
        joint = F.relu(conv((pair[0] + pair[1]) / 2, values, "universal/joint"))
        attention = 0
        for x in pair:
            energy = torch.bmm(x.flatten(2), joint.flatten(2).transpose(1, 2))
            energy = energy.max(-1, keepdim=True)[0] - energy
            attention = attention + energy.softmax(-1) / 2
        mixed = [torch.bmm(attention, x.flatten(2)).view_as(x) for x in pair]
        return [
            F.relu(conv(x, values, f"universal/{style}"))
            for x, style in zip(mixed, STYLES, strict=True)
        ]

    def disentangle(values, encoded):
        stages = [
            weigh_channels(values, f"distinct{stage}", pair)
            for stage, pair in enumerate(zip(*encoded, strict=True), 1)
        ]
        shared = universal(values, [maps[-1] for maps in encoded])
        return [[*(stage[k] for stage in stages), shared[k]] for k in (0, 1)]

    def predict(values, styles, moving=None):
        """Each head's logits of the maps in its style."""
        logits = []
        for style, maps in zip(STYLES, styles, strict=True):
            kernel = values[f"{style}_decoder/fuse/conv/kernel"]
            x = torch.einsum("bihw,io->bohw", torch.cat(maps, 1), kernel)
            x = F.relu(batch_norm(x, values, f"{style}_decoder/fuse/norm", moving))
            x = dense(x.permute(0, 2, 3, 1), values, f"{style}_head/classifier")
            logits.append(x.permute(0, 3, 1, 2))
        return logits

    def enlarge(x):
        return F.interpolate(x, size=(SIZE, SIZE), mode="bilinear", align_corners=False)

    def entropy(logits, label, weights=1.0):
        label, factors = torch.as_tensor(label).long(), torch.tensor(SETTINGS["class_weights"])
        found = F.cross_entropy(
            enlarge(logits), label, factors.double(), ignore_index=255, reduction="none"
        )
        return (weights * found).mean()

    def pseudo_labels(logits):
        probability, label = enlarge(logits).softmax(1).max(1)
        for threshold in (SETTINGS["confidence"], SETTINGS["counted_confidence"]):
            assert (probability - threshold).abs().min() > 1e-5, "float32 might see it otherwise"
        top = enlarge(logits).softmax(1).topk(2, 1)[0]
        assert (top[:, 0] - top[:, 1]).min() > 1e-5, "float32 might see it otherwise"
        share = (probability >= SETTINGS["confidence"]).double().mean()
        weights = share * torch.tensor(SETTINGS["pseudo_class_weights"]).double()[label]
        counted = probability >= SETTINGS["counted_confidence"]
        assert 0.05 < counted.double().mean() < 0.95 and 0 < share < 1, "nothing to tell apart"
        weights[~counted] = 0.5 * share
        return label, weights

    def bce(values, x, real):
        """Of a critic's verdict on a map, softmaxed over its places."""
        x = F.leaky_relu(conv(x.flatten(2).softmax(-1).view_as(x), values, "conv1", 2), 0.2)
        x = F.leaky_relu(F.instance_norm(conv(x, values, "conv2")), 0.2)
        verdict = enlarge(conv(x, values, "conv3"))
        return F.binary_cross_entropy_with_logits(verdict, torch.full_like(verdict, real))

    def freeze(values, frozen):
        for path, value in values.items():
            value.requires_grad = not frozen and not is_buffer(path)

    nets = {
        network: {path: torch.tensor(value, dtype=torch.float64) for path, value in own.items()}
        for network, own in draw().items()
    }
    own, teacher = nets["segmenter"], nets["teacher"]
    critics = [nets[f"critic_{style}"] for style in STYLES]
    for critic in critics:
        critic["conv2/bias"] = torch.zeros(6, dtype=torch.float64)
    for name in ("kernel", "bias"):
        critics[0][f"conv3/{name}"] = -critics[0][f"conv3/{name}"]

    for values in (own, *critics):
        freeze(values, False)
    trained = {path: value for path, value in own.items() if not is_buffer(path)}
    heads = [value for path, value in trained.items() if "_decoder/" in path or "_head/" in path]
    rest = [value for value in trained.values() if not any(value is head for head in heads)]
    groups = [{"params": rest}, {"params": heads, "lr": HEAD_FACTOR * RATE}]
    update = torch.optim.SGD(groups, RATE, momentum=MOMENTUM, weight_decay=DECAY)
    updates = [torch.optim.Adam(critic.values(), CRITIC_RATE, betas=BETAS) for critic in critics]

    def teach(iteration):
        kept = min(1 - 1 / (iteration + 1), SETTINGS["decay"])
        for path in teacher:
            teacher[path] = kept * teacher[path] + (1 - kept) * own[path].detach()

    losses = []
    for step in range(STEPS):
        if step > 0:
            teach(step)
        source, target = batches(step)
        for optimizer in (update, *updates):
            optimizer.zero_grad()
        for critic in critics:
            freeze(critic, True)
        # Both students see the source, then both the target.
        known = [encode(own, style, source["image"], own) for style in STYLES]
        unknown = [encode(own, style, target["image"], own) for style in STYLES]
        seen, guessed = disentangle(own, known), disentangle(own, unknown)
        loss = 0
        predictions = predict(own, seen, own)
        guesses = predict(own, guessed, own)
        for logits in predictions:
            loss = loss + entropy(logits, source["label"])
        with torch.no_grad():
            taught = predict(teacher, guessed)
            label, weights = pseudo_labels((taught[0] + taught[1]) / 2)
        for logits in guesses:
            loss = loss + SETTINGS["pseudo_weight"] * entropy(logits, label, weights)

        # Each critic calls its own domain 1; the students pass the other domain off as it.
        home, foreign = (known[0][-1], unknown[1][-1]), (unknown[0][-1], known[1][-1])
        for critic, x in zip(critics, foreign, strict=True):
            loss = loss + SETTINGS["adversarial_weight"] * bce(critic, x, 1.0)
        loss.backward()
        update.step()
        for index, (critic, optimizer) in enumerate(zip(critics, updates, strict=True)):
            freeze(critic, False)
            for maps, real in ((home, 1.0), (foreign, 0.0)):
                (SETTINGS["critic_weight"] * bce(critic, maps[index].detach(), real)).backward()
            optimizer.step()
        losses.append(loss.item())
    teach(STEPS)

    found = {"losses": np.array(losses)}
    for name in ("kernel", "bias"):
        critics[0][f"conv3/{name}"] = -critics[0][f"conv3/{name}"]
    for network, values in nets.items():
        for path, value in values.items():
            if path != "conv2/bias":
                found[f"{network}/{path}"] = value.detach().numpy().astype(np.float32)
    np.savez_compressed(GOLDEN, **found)


if __name__ == "__main__":
    golden()
