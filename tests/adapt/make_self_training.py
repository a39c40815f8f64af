"""Three steps of each self-training method as plain loops in PyTorch, for test_self_training.py.

It knows neither this package nor JAX; run it with a Python that has PyTorch and NumPy:

    python tests/adapt/make_self_training.py

Written from the methods' descriptions: one image, one class, one pair after the other where that is
plainer. In float64; only the weights afterwards are stored, float32.
"""

import runpy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

HERE = Path(__file__).resolve().parent
case = runpy.run_path(str(HERE / "self_training_case.py"))
SIZE, STEPS, CLASSES = case["SIZE"], case["STEPS"], case["CLASSES"]
UNLABELLED = 255


class Toy(torch.nn.Module):
    """Two convolutions with batch norms, heads of one 1x1 convolution on the last map."""

    def __init__(self, values, heads):
        super().__init__()
        width = case["WIDTH"]
        self.conv1 = torch.nn.Conv2d(3, width, 3, 2, 1, bias=False)
        self.conv2 = torch.nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = torch.nn.BatchNorm2d(width), torch.nn.BatchNorm2d(width)
        self.heads = torch.nn.ModuleList(torch.nn.Conv2d(width, CLASSES, 1) for _ in range(heads))
        self.double()
        with torch.no_grad():
            for path, place in self.places().items():
                array = torch.tensor(values[path], dtype=torch.float64)
                if path.startswith("conv"):
                    array = array.permute(3, 2, 0, 1)
                elif path.startswith("head") and array.ndim == 2:
                    array = array.T[:, :, None, None]
                place.copy_(array)

    def places(self):
        found = {}
        for index, conv, norm in ((1, self.conv1, self.norm1), (2, self.conv2, self.norm2)):
            found[f"conv{index}/kernel"] = conv.weight
            found[f"norm{index}/gamma"], found[f"norm{index}/beta"] = norm.weight, norm.bias
            found[f"norm{index}/moving_mean"] = norm.running_mean
            found[f"norm{index}/moving_variance"] = norm.running_var
        for index, head in enumerate(self.heads, 1):
            found[f"head{index}/kernel"], found[f"head{index}/bias"] = head.weight, head.bias
        return found

    def values(self):
        found = {}
        for path, place in self.places().items():
            array = place.detach().numpy()
            if path.startswith("conv"):
                array = array.transpose(2, 3, 1, 0)
            elif path.startswith("head") and array.ndim == 4:
                array = array[:, :, 0, 0].T
            found[path] = array.astype(np.float32)
        return found

    def forward(self, image):
        x = torch.tensor(image, dtype=torch.float64).permute(0, 3, 1, 2) / 127.5 - 1
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.relu(self.norm2(self.conv2(x)))
        return [head(x) for head in self.heads], x


def enlarge(x):
    return F.interpolate(x, size=(SIZE, SIZE), mode="bilinear", align_corners=True)


def seg_loss(heads, label):
    label = torch.tensor(label.astype(np.int64))
    losses = [F.cross_entropy(enlarge(x), label, ignore_index=UNLABELLED) for x in heads]
    return sum(losses) / len(losses)


# -- PyCDA -----------------------------------------------------------------------------------------


def bce(share, wanted):
    steady = 1e-6
    return -(wanted * torch.log(share + steady) + (1 - wanted) * torch.log(1 - share + steady))


def prior_loss(logits, prior):
    share = F.softmax(logits, 1).mean((0, 2, 3))
    if prior is None:  # every share with every class's prior, as released
        prior = torch.tensor([0.5, 0.2, 0.1, 0.15, 0.05], dtype=torch.float64)
        return bce(share, prior[:, None]).mean()
    return bce(share, torch.tensor(prior, dtype=torch.float64)).mean()


def boxes_loss(logits, confidence):
    kept = []
    for side in (1, 2, 4, 8):
        pooled = F.avg_pool2d(logits, side)
        sure, label = F.softmax(pooled, 1).max(1)
        losses = F.cross_entropy(pooled, label, reduction="none")
        losses = losses * (sure > confidence)
        kept.append(losses[losses != 0])
    assert all(len(each) for each in kept)
    return torch.cat(kept).mean()


def pycda(model, optimizer, source, target, settings):
    optimizer.zero_grad()
    seg_loss(model(source["image"])[0], source["label"]).backward()
    optimizer.step()
    heads = [enlarge(x) for x in model(target["image"])[0]]
    loss = 0
    for x in heads:
        prior = settings.get("prior_weight", 1.0) * prior_loss(x, settings.get("prior"))
        loss = loss + (prior + 0.5 * boxes_loss(x, settings["confidence"])) / len(heads)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), case["CLIP"])
    optimizer.step()


# -- rounds ----------------------------------------------------------------------------------------


def cbst(source, target, label, settings):
    return 0.5 * seg_loss(target[0], label)


def iast(source, target, label, settings):
    logits = enlarge(target[0][0])
    every = torch.ones_like(logits)
    kept = torch.tensor(label != UNLABELLED)[:, None] * every
    ignored = every - kept
    logarithms = F.log_softmax(logits, 1)
    entropy = -(F.softmax(logits, 1) * ignored * logarithms).sum() / (ignored > 0).sum()
    kld = -(kept * logarithms / CLASSES).sum() / (kept > 0).sum()
    loss = 0.5 * seg_loss(target[0], label)
    return loss + 3.0 * entropy + settings["evenness_weight"] * kld


def centres(heads, features, settings):
    """(classes, channels), image by image and class by class."""
    chances = sum(F.softmax(x, 1) for x in heads).detach() / len(heads)
    classes = range(1 if settings.get("background", 0) == 0 else 0, CLASSES)
    images = []
    for image, chance in zip(features, chances, strict=True):
        rows = [(image * chance[k]).sum((1, 2)) / chance[k].sum() for k in classes]
        own = torch.stack(rows)
        images.append(F.normalize(own, dim=0 if settings.get("across_classes") else 1))
    return torch.stack(images).mean(0)


def pearson(x, y):
    x, y = x - x.mean(), y - y.mean()
    return (x @ y) / (x.norm() * y.norm())


def regularised(one, other):
    same, different = [], []
    for i, x in enumerate(one):
        for j, y in enumerate(other):
            r = pearson(x, y)
            if i == j:
                same.append(-torch.log(torch.clamp(r, min=1e-6)))
            else:
                different.append(-torch.log(1 - torch.clamp(r, min=1e-6)))
    return sum(same) / len(same) + sum(different) / len(different)


def icr(source, settings):
    heads, features = source
    half = len(features) // 2
    first = centres([x[:half] for x in heads], features[:half], settings)
    second = centres([x[half:] for x in heads], features[half:], settings)
    return regularised(first, second)


def dca(source, target, label, settings):
    known = centres(source[0], source[1].detach(), settings)
    return seg_loss(target[0], label) + regularised(known, centres(*target, settings))


def in_rounds(model, optimizer, source, target, settings, method, step):
    outputs = model(source["image"])
    loss = seg_loss(outputs[0], source["label"])
    if method == "dca":
        loss = loss + icr(outputs, settings)
    if step / STEPS >= settings["start"]:
        terms = {"cbst": cbst, "iast": iast, "dca": dca}[method]
        loss = loss + terms(outputs, model(target["image"]), target["label"], settings)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), case["CLIP"])
    optimizer.step()


def run(method, heads, settings):
    """Path -> value after all steps."""
    model = Toy(case["draw"](heads), heads)
    optimizer = torch.optim.SGD(
        model.parameters(), case["RATE"], momentum=case["MOMENTUM"], weight_decay=case["DECAY"]
    )
    for step in range(STEPS):
        source, target = case["batches"](step)
        if method == "pycda":
            pycda(model, optimizer, source, target, settings)
        else:
            in_rounds(model, optimizer, source, target, settings, method, step)
    return model.values()


def main():
    golden = {}
    for name, (method, heads, settings) in case["CASES"].items():
        for path, value in run(method, heads, settings).items():
            golden[f"{name}/{path}"] = value
    (HERE / "golden").mkdir(exist_ok=True)
    np.savez_compressed(HERE / "golden" / "self_training.npz", **golden)


if __name__ == "__main__":
    main()
