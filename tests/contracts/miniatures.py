"""Three methods in miniature that lean on all of the contract, and networks small enough for them.

An adversarial one with a critic, a mean teacher with class mix beside a frozen network, and one
with rounds of pseudo-labels; each leaves out what is only size.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax

from rdepth_keras.adapt import SEGMENTER, Method
from rdepth_keras.adapt.method import Outcome, Parts, Phase
from rdepth_keras.labels import IGNORE
from rdepth_keras.losses import cross_entropy
from rdepth_keras.models.layers.basic import BatchNorm
from rdepth_keras.network import Network

CLASSES = 3
SIZE = 16


def segmenter(name=SEGMENTER, seed=0):
    """Image -> logits and features, both at stride 2; batch norm and dropout."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(8, 3, 2, padding="same", use_bias=False, name="conv")(x)
    x = keras.layers.ReLU()(BatchNorm(name="norm")(x))
    logits = keras.layers.Dense(CLASSES, name="head")(keras.layers.Dropout(0.2, name="drop")(x))
    return Network(keras.Model({"image": image}, {"logits": logits, "features": x}, name=name))


def parts():
    def build(name, architecture=None, weights=None):
        return segmenter(name, seed=1)

    return Parts(segmenter(), build, CLASSES, "float32", 0)


def batch(seed, size=4):
    """Tiles whose colour tells the class, with some noise, and labels that leave a border out."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, CLASSES, (size, 2, 2)).repeat(SIZE // 2, 1).repeat(SIZE // 2, 2)
    colour = np.stack([label * 90, label * 20, 255 - label * 60], -1)
    image = np.clip(colour + rng.normal(0, 20, colour.shape), 0, 255).astype(np.uint8)
    label = label.astype(np.uint8)
    label[:, :1] = IGNORE
    return {"image": image, "depth": np.zeros((size, SIZE, SIZE, 1), np.float32), "label": label}


def softmax(outputs):
    return jax.nn.softmax(outputs["logits"].astype(jnp.float32), -1)


@dataclass(frozen=True)
class Adversarial(Method):
    """Output-space adaptation: the critic learns after the segmenter, and from its new maps."""

    weight: float = 0.1

    @property
    def uses_target(self):
        return True

    def networks(self, parts):
        keras.utils.set_random_seed(parts.seed + 1)
        scores = keras.Input((None, None, parts.classes), name="scores")
        x = keras.layers.Conv2D(4, 4, 2, padding="same", name="first")(scores)
        x = keras.layers.Conv2D(1, 4, 2, padding="same", name="last")(
            keras.layers.LeakyReLU(0.2)(x)
        )
        critic = keras.Model({"scores": scores}, x, name="critic")
        return {SEGMENTER: parts.segmenter, "critic": Network(critic)}

    def phases(self, networks):
        network, critic = networks[SEGMENTER], networks["critic"]

        def forward(params, buffers, batch, key):
            return network.apply(params[SEGMENTER], buffers, batch, key)

        def doubt(params, buffers, scores, domain):
            verdict, _ = critic.apply(params["critic"], buffers["critic"], {"scores": scores})
            wanted = jnp.full_like(verdict, domain)
            return optax.sigmoid_binary_cross_entropy(verdict, wanted).mean()

        def deceive(params, given):
            one, other = jax.random.split(given.key)
            outputs, kept = forward(params, given.buffers[SEGMENTER], given.source, one)
            guessed, kept = forward(params, kept, given.target, other)
            entropy = cross_entropy(outputs["logits"], given.source["label"])
            fooled = doubt(params, given.buffers, softmax(guessed), 0.0)
            loss = entropy + self.weight * fooled
            logs = {"loss": loss, "fooled": fooled}
            return Outcome(loss, logs, {**given.buffers, SEGMENTER: kept}, given.memory)

        def tell_apart(params, given):
            buffers = given.buffers
            terms = [
                doubt(
                    params,
                    buffers,
                    jax.lax.stop_gradient(
                        softmax(forward(params, buffers[SEGMENTER], domain, given.key)[0])
                    ),
                    number,
                )
                for number, domain in enumerate((given.source, given.target))
            ]
            loss = 0.5 * (terms[0] + terms[1])
            return Outcome(loss, {"critic": loss}, buffers, given.memory)

        return Phase(deceive), Phase(tell_apart, trains=("critic",), clips=False)


@dataclass(frozen=True)
class MeanTeacher(Method):
    """A teacher without dropout, but with the batch's statistics, labels class-mixed images."""

    decay: float = 0.9
    confidence: float = 0.4
    distance: float = 0.01

    @property
    def uses_target(self):
        return True

    def networks(self, parts):
        return {SEGMENTER: parts.segmenter, "frozen": parts.build("frozen")}

    def memory(self, networks, params, buffers, key):
        own = params[SEGMENTER], buffers[SEGMENTER]
        return {"teacher": jax.tree.map(jnp.copy, own)}

    def phases(self, networks):
        network, frozen = networks[SEGMENTER], networks["frozen"]

        def loss(params, given):
            source, target, (trained, statistics) = given[0], given[1], given.memory["teacher"]
            outputs, statistics = network.apply(trained, statistics, target, statistics="batch")
            scores = softmax(outputs).repeat(2, 1).repeat(2, 2)
            guess = scores.argmax(-1).astype(jnp.uint8)
            share = (scores.max(-1) > self.confidence).mean()

            key, mixing = jax.random.split(given.key)
            pasted = mask(source["label"], mixing)
            mixed = {"image": jnp.where(pasted[..., None], source["image"], target["image"])}
            label = jnp.where(pasted, source["label"], guess)
            weights = jnp.where(pasted, 1.0, share)

            one, other = jax.random.split(key)
            own, kept = network.apply(params[SEGMENTER], given.buffers[SEGMENTER], source, one)
            seen, kept = network.apply(params[SEGMENTER], kept, mixed, other)
            reference, _ = frozen.apply(params["frozen"], given.buffers["frozen"], source)
            terms = {
                "source": cross_entropy(own["logits"], source["label"]),
                "mixed": cross_entropy(seen["logits"], label, pixel_weights=weights),
                "distance": self.distance
                * jnp.square(own["features"] - reference["features"]).mean(),
            }
            total = jnp.stack(list(terms.values())).sum()
            buffers = {**given.buffers, SEGMENTER: kept}
            memory = {"teacher": (trained, statistics)}
            return Outcome(total, {"loss": total, **terms}, buffers, memory)

        return (Phase(loss),)

    def remember(self, memory, params, buffers, step):
        trained, statistics = memory["teacher"]
        decay = jnp.minimum(1 - 1 / (step + 1), self.decay)
        moved = jax.tree.map(lambda a, b: decay * a + (1 - decay) * b, trained, params[SEGMENTER])
        return {"teacher": (moved, statistics)}


def mask(label, key):
    """Where a batch's images are pasted: about half of the classes, drawn for each image."""
    taken = jax.random.bernoulli(key, 0.5, (len(label), CLASSES))
    shown = jnp.take_along_axis(taken, jnp.minimum(label, CLASSES - 1).reshape(len(label), -1), 1)
    return shown.reshape(label.shape) & (label != IGNORE)


@dataclass(frozen=True)
class Rounds(Method):
    """Class-balanced self-training: thresholds over all tiles, then labels above them."""

    first: int = 3
    every: int = 3
    share: float = 0.5

    @property
    def uses_target(self):
        return True

    def phases(self, networks):
        network = networks[SEGMENTER]

        def loss(params, given):
            one, other = jax.random.split(given.key)
            own, kept = network.apply(
                params[SEGMENTER], given.buffers[SEGMENTER], given.source, one
            )
            seen, _ = network.apply(params[SEGMENTER], kept, given.target, other)
            terms = {
                "source": cross_entropy(own["logits"], given.source["label"]),
                "target": 0.5 * cross_entropy(seen["logits"], given.target["label"]),
            }
            total = terms["source"] + terms["target"]
            labelled = (given.target["label"] != IGNORE).mean()
            logs = {"loss": total, "labelled": labelled, **terms}
            return Outcome(total, logs, {**given.buffers, SEGMENTER: kept}, given.memory)

        return (Phase(loss),)

    def rounds(self, steps):
        return tuple(range(self.first, steps, self.every))

    def relabel(self, probabilities, step):
        confidences = [[] for _ in range(CLASSES)]
        for scores in probabilities:
            best = scores.argmax(-1)
            for train_id in range(CLASSES):
                confidences[train_id].append(scores.max(-1)[best == train_id])
        found = [np.concatenate(values) for values in confidences]
        thresholds = [np.quantile(values, 1 - self.share) if len(values) else 1 for values in found]
        for scores in probabilities:
            relative = scores / np.asarray(thresholds, np.float32)
            label = relative.argmax(-1).astype(np.uint8)
            yield np.where(relative.max(-1) < 1, np.uint8(IGNORE), label)


MINIATURES = {"adversarial": Adversarial, "mean_teacher": MeanTeacher, "rounds": Rounds}
