"""Batch normalisation with statistics of its own for each domain."""

import keras
from keras import ops

from rdepth_keras.models.layers.basic import register
from rdepth_keras.models.layers.batch_statistics import from_the_batch


@register
class TransNorm(keras.Layer):
    """Transferable normalisation (Wang et al., "Transferable Normalization", NeurIPS 2019).

    In training the batch is the source's half followed by the target's; each is normalised with
    its own statistics, gamma and beta are shared. Where the layer is frozen, those are its domain's
    running ones, which stay. Otherwise the target's running statistics serve.
    A channel c whose statistics agree in both domains then counts more: the map is multiplied by
    1 + a_c, where a_c = C * w_c / sum(w), w_c = 1 / (1 + |mu_s / sigma_s - mu_t / sigma_t|), and no
    gradient passes a. Since a is 1 on average, pretrained maps about double, as in the original;
    ``reweigh=False`` leaves the factor out, which is plain domain-wise batch normalisation.
    """

    def __init__(self, momentum=0.9, epsilon=1e-5, reweigh=True, **options):
        super().__init__(**options)
        self.momentum, self.epsilon, self.reweigh = momentum, epsilon, reweigh

    def build(self, shape):
        def weight(name, initializer, trainable=True):
            return self.add_weight(
                shape=shape[-1:], initializer=initializer, trainable=trainable, name=name
            )

        self.gamma, self.beta = weight("gamma", "ones"), weight("beta", "zeros")
        self.moving = [
            (
                weight(f"{domain}_mean", "zeros", trainable=False),
                weight(f"{domain}_variance", "ones", trainable=False),
            )
            for domain in ("source", "target")
        ]

    def call(self, x, training=None):
        x = ops.cast(x, "float32")
        if from_the_batch(training):
            halves = split_domains(x)
            used = statistics = self.moving
            if self.trainable:
                used = [ops.moments(half, axes=(0, 1, 2)) for half in halves]
                statistics = [
                    (mean, unbiased(variance, half))
                    for half, (mean, variance) in zip(halves, used, strict=True)
                ]
                self.remember(statistics)
        else:
            halves, used, statistics = [x], [self.moving[1]], self.moving
        maps = [self.normalise(half, *moments) for half, moments in zip(halves, used, strict=True)]
        x = ops.concatenate(maps, 0)
        if self.reweigh:
            x = x * (1 + ops.stop_gradient(agreement(statistics, self.epsilon)))
        return ops.cast(x, self.compute_dtype)

    def normalise(self, x, mean, variance):
        scale, offset, epsilon = self.gamma, self.beta, self.epsilon
        return ops.batch_normalization(
            x, mean, variance, -1, offset=offset, scale=scale, epsilon=epsilon
        )

    def remember(self, statistics):
        for moving, now in zip(self.moving, statistics, strict=True):
            for variable, value in zip(moving, now, strict=True):
                variable.assign(self.momentum * variable + (1 - self.momentum) * value)

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        config = {"momentum": self.momentum, "epsilon": self.epsilon, "reweigh": self.reweigh}
        return {**super().get_config(), **config}


def split_domains(x):
    """The source's and the target's half of a batch."""
    half, rest = divmod(x.shape[0], 2)
    if rest:
        raise ValueError(
            "Domain-wise normalisation needs as many source as target examples in a batch; "
            f"received {x.shape[0]} in all."
        )
    return [x[:half], x[half:]]


def unbiased(variance, x):
    """The variance with the divisor n - 1, of statistics taken over ``x``."""
    count = x.shape[0] * x.shape[1] * x.shape[2]
    return variance * (count / max(count - 1, 1))


def agreement(statistics, epsilon: float):
    """(mean, variance) of each of two domains -> a factor a channel, 1 on average."""
    source, target = (mean / ops.sqrt(variance + epsilon) for mean, variance in statistics)
    weight = 1 / (1 + ops.abs(source - target))
    return weight / ops.mean(weight)
