"""Three steps of each adversarial method as plain loops in PyTorch, for test_adversarial.py.

It knows neither this package nor JAX; run it with a Python that has PyTorch and NumPy:

    python tests/adapt/make_adversarial.py

Written from the methods' descriptions: one backward pass after the other, critics frozen by
``requires_grad``, maps by ``detach``. In float64; only the weights afterwards are stored, float32.
"""

import runpy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

HERE = Path(__file__).resolve().parent
case = runpy.run_path(str(HERE / "adversarial_case.py"))
SIZE, STEPS = case["SIZE"], case["STEPS"]


def conv(x, variables, name, stride=1, padding=1):
    kernel = variables[f"{name}/kernel"].permute(3, 2, 0, 1)
    return F.conv2d(x, kernel, variables.get(f"{name}/bias"), stride, padding)


def standardise(x, variables, name, kind, moving):
    """Normalised by the batch, whose statistics go into the moving ones; and mean and variance."""
    mean = x.mean((0, 2, 3))
    variance = x.var((0, 2, 3), unbiased=True)
    count = x.numel() / x.shape[1]
    for statistic, now in (("mean", mean), ("variance", variance)):
        old = variables[f"{name}/{kind}_{statistic}"]
        moving[f"{name}/{kind}_{statistic}"] = 0.9 * old + 0.1 * now.detach()
    biased = variance * (count - 1) / count
    x = (x - mean[:, None, None]) / torch.sqrt(biased + 1e-5)[:, None, None]
    gamma, beta = (variables[f"{name}/{one}"][:, None, None] for one in ("gamma", "beta"))
    return gamma * x + beta, mean, variance


def trans_norm(x, variables, name, moving):
    half = len(x) // 2
    source, *first = standardise(x[:half], variables, name, "source", moving)
    target, *second = standardise(x[half:], variables, name, "target", moving)
    ratios = [mean / torch.sqrt(variance + 1e-5) for mean, variance in (first, second)]
    chance = 1 / (1 + (ratios[0] - ratios[1]).abs())
    alpha = len(chance) * chance / chance.sum()
    return torch.cat([source, target]) * (1 + alpha.detach())[:, None, None]


def forward(variables, image, stages, trans):
    """The heads' logits, enlarged, and the first map; moves the running statistics."""
    x = torch.tensor(image, dtype=torch.float64).permute(0, 3, 1, 2) / 127.5 - 1
    maps, moving = [], {}
    for index, stride in ((1, 2), (2, 1)):
        x = conv(x, variables, f"conv{index}", stride)
        name = f"norm{index}"
        if trans:
            x = trans_norm(x, variables, name, moving)
        else:
            x = standardise(x, variables, name, "moving", moving)[0]
        x = F.relu(x)
        maps.append(x)
    variables.update(moving)
    logits = []
    for index, stage in enumerate(stages, 1):
        kernel, bias = (variables[f"head{index}/{one}"] for one in ("kernel", "bias"))
        small = torch.einsum("bihw,io->bohw", maps[stage - 1], kernel) + bias[:, None, None]
        logits.append(enlarge(small))
    return logits, maps[0]


def enlarge(x):
    return F.interpolate(x, size=(SIZE, SIZE), mode="bilinear", align_corners=True)


def patch_critic(variables, x):
    last = len(case["WIDTHS"]) + 1
    for index in range(1, last + 1):
        x = conv(x, variables, f"conv{index}", 2)
        x = x if index == last else F.leaky_relu(x, 0.2)
    return x


def class_critic(variables, x):
    for name in ("conv1", "conv2"):
        x = F.leaky_relu(conv(x, variables, name), 0.2)
    return enlarge(torch.cat([conv(x, variables, name) for name in ("source", "target")], 1))


def entropy(logits, label):
    label = torch.tensor(label.astype(np.int64))
    return F.cross_entropy(logits, label, ignore_index=255)


def bce(verdict, domain):
    return F.binary_cross_entropy_with_logits(verdict, torch.full_like(verdict, domain))


def freeze(critics, frozen):
    for critic in critics:
        for value in critic.values():
            value.requires_grad = not frozen


def adaptsegnet(networks, source, target, settings, stages, trans):
    own, critics = networks["segmenter"], [networks["critic_auxiliary"], networks["critic"]]
    freeze(critics, True)
    if trans:
        images = np.concatenate([source["image"], target["image"]])
        both, _ = forward(own, images, stages, True)
        half = len(source["image"])
        known, guessed = [x[:half] for x in both], [x[half:] for x in both]
    else:
        known, _ = forward(own, source["image"], stages, False)
        guessed, _ = forward(own, target["image"], stages, False)
    loss = entropy(known[1], source["label"])
    loss = loss + settings["auxiliary_weight"] * entropy(known[0], source["label"])
    loss.backward(retain_graph=True)
    weights = settings["auxiliary_adversarial_weight"], settings["adversarial_weight"]
    fooled = [
        weight * bce(patch_critic(critic, F.softmax(logits, 1)), 0.0)
        for critic, logits, weight in zip(critics, guessed, weights, strict=True)
    ]
    sum(fooled).backward()
    freeze(critics, False)
    for maps, domain in ((known, 0.0), (guessed, 1.0)):
        for critic, logits in zip(critics, maps, strict=True):
            verdict = patch_critic(critic, F.softmax(logits.detach(), 1))
            (bce(verdict, domain) / 2).backward()


def weighted_bce(verdict, domain, weights):
    losses = F.binary_cross_entropy_with_logits(
        verdict, torch.full_like(verdict, domain), reduction="none"
    )
    return (weights * losses).mean()


def clan(networks, source, target, settings, stages, step):
    own, critic = networks["segmenter"], networks["critic"]
    freeze([critic], True)
    known, _ = forward(own, source["image"], stages, False)
    sum(entropy(x, source["label"]) for x in known).backward()
    guessed, _ = forward(own, target["image"], stages, False)
    probabilities = [F.softmax(x, 1) for x in guessed]
    apart = 1 - F.cosine_similarity(*probabilities, dim=1)[:, None]
    weights = settings["local_floor"] + settings["local_weight"] * apart
    if step / STEPS <= settings["warmup_fraction"]:
        weights = torch.ones_like(weights)
    damping = 1 - step / STEPS
    verdict = enlarge(patch_critic(critic, F.softmax(sum(guessed), 1)))
    steered = weights if settings["weight_gradient"] else weights.detach()
    loss = damping * settings["adversarial_weight"] * weighted_bce(verdict, 0.0, steered)
    loss.backward()
    one, other = (
        torch.cat([own[f"head{index}/{name}"].reshape(-1) for name in ("kernel", "bias")])
        for index in (1, 2)
    )
    cosine = one @ other / (one.norm() * other.norm())
    (damping * settings["discrepancy_weight"] * (cosine + 1)).backward()
    freeze([critic], False)
    seen = patch_critic(critic, F.softmax(sum(known).detach(), 1))
    (0.5 * bce(seen, 0.0)).backward()
    verdict = enlarge(patch_critic(critic, F.softmax(sum(guessed).detach(), 1)))
    (0.5 * weighted_bce(verdict, 1.0, weights.detach())).backward()


def soft_entropy(verdict, soft):
    return -(soft * F.log_softmax(verdict, 1)).sum(1).mean()


def fada(networks, source, target, settings, stages):
    own, critic = networks["segmenter"], networks["critic"]
    freeze([critic], True)
    (known,), features_s = forward(own, source["image"], stages, False)
    known = known / settings["temperature"]
    (settings["segmentation_weight"] * entropy(known, source["label"])).backward(retain_graph=True)
    (guessed,), features_t = forward(own, target["image"], stages, False)
    guessed = guessed / settings["temperature"]
    soft_s, soft_t = (
        F.softmax(x, 1).detach().clamp(max=settings["largest_label"]) for x in (known, guessed)
    )
    nothing = torch.zeros_like(soft_t)
    as_source = torch.cat([soft_t, nothing], 1)
    loss = soft_entropy(class_critic(critic, features_t), as_source)
    (settings["adversarial_weight"] * loss).backward()
    freeze([critic], False)
    verdict = class_critic(critic, features_s.detach())
    (0.5 * soft_entropy(verdict, torch.cat([soft_s, nothing], 1))).backward()
    verdict = class_critic(critic, features_t.detach())
    (0.5 * soft_entropy(verdict, torch.cat([nothing, soft_t], 1))).backward()


def is_buffer(path):
    return path.endswith(("mean", "variance"))


def run(method, stages, settings):
    """Network -> path -> value after all steps."""
    networks = {
        network: {
            path: torch.tensor(value, dtype=torch.float64, requires_grad=not is_buffer(path))
            for path, value in variables.items()
        }
        for network, variables in case["draw"](method, stages).items()
    }
    trained = {
        network: [value for path, value in variables.items() if not is_buffer(path)]
        for network, variables in networks.items()
    }
    optimizers = {
        network: torch.optim.SGD(
            values, case["RATE"], momentum=case["MOMENTUM"], weight_decay=case["DECAY"]
        )
        if network == "segmenter"
        else torch.optim.Adam(values, case["CRITIC_RATE"], betas=case["BETAS"])
        for network, values in trained.items()
    }
    for step in range(STEPS):
        source, target = case["batches"](step)
        for optimizer in optimizers.values():
            optimizer.zero_grad()
        if method == "clan":
            clan(networks, source, target, settings, stages, step)
        elif method == "fada":
            fada(networks, source, target, settings, stages)
        else:
            adaptsegnet(networks, source, target, settings, stages, method == "transnorm")
        for network, values in trained.items():
            torch.nn.utils.clip_grad_norm_(values, case["CLIP"])
            optimizers[network].step()
    return networks


def main():
    golden = {}
    for name, (method, stages, settings) in case["CASES"].items():
        for network, variables in run(method, stages, settings).items():
            for path, value in variables.items():
                golden[f"{name}/{network}/{path}"] = value.detach().numpy().astype(np.float32)
    (HERE / "golden").mkdir(exist_ok=True)
    np.savez_compressed(HERE / "golden" / "adversarial.npz", **golden)


if __name__ == "__main__":
    main()
