"""Adversarial adaptation with batch statistics of each domain's own."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from rdepth_keras.adapt.adaptsegnet import AdaptSegNet
from rdepth_keras.adapt.method import SEGMENTER
from rdepth_keras.adapt.outputs import has_domain_norms, see


@dataclass(frozen=True)
class TransNorm(AdaptSegNet):
    """AdaptSegNet's terms on a network of transferable normalisations, fed both domains at once.

    Wang et al., "Transferable Normalization: Towards Improving Transferability of Deep Neural
    Networks", NeurIPS 2019; in segmentation as in LoveDA's release (Junjue-Wang/LoveDA), whose two
    heads sit on one map and are summed to predict. The normalisation, with the doubling of
    pretrained maps that comes with it, is the network's:
    :class:`rdepth_keras.models.layers.domain_norm.TransNorm`.
    """

    joins_domains = True

    def check(self, segmenter):
        if not has_domain_norms(segmenter):
            raise ValueError(
                "The method transnorm needs a network whose batch norms are TransNorm: use --model "
                "deeplabv2_transnorm, or adaptsegnet, which has the same terms, on this one."
            )

    def forward(self, segmenter, params, given):
        assert given.target is not None  # uses_target
        inputs = {
            name: jnp.concatenate([given.source[name], given.target[name]])
            for name in segmenter.input_names
        }
        own, buffers = params[SEGMENTER], given.buffers[SEGMENTER]
        outputs, kept = see(segmenter, own, buffers, inputs, given.key)
        half = len(given.source["label"])
        first = jax.tree.map(lambda x: x[:half], outputs)
        second = jax.tree.map(lambda x: x[half:], outputs)
        return first, second, kept
