"""DAFormer's decoder (Hoyer et al., "DAFormer", CVPR 2022): all maps joined, then their context.

Paths under the decoder's name: ``project1`` to ``project4``, and ``context`` as in ``aspp``.
"""

from keras import ops

from rdepth_keras.models.decoders.aspp import Context
from rdepth_keras.models.encoders.convnext import dense
from rdepth_keras.models.layers.basic import Composite, register
from rdepth_keras.models.layers.resample import resize


@register
class DAFormer(Composite):
    """Four maps -> (B, h, w, channels) at the first map's size.

    Dense projections to ``channels``, all maps at the first one's size side by side, separable
    convolutions of several dilations over them, a 3x3 block.
    """

    def __init__(self, channels=256, dilations=(1, 6, 12, 18), **options):
        super().__init__(**options)
        self.channels, self.dilations = channels, tuple(dilations)
        policy = self.dtype_policy
        self.projections = [
            dense(channels, f"project{stage}", dtype=policy) for stage in (1, 2, 3, 4)
        ]
        self.context = Context(
            channels, dilations, separable=True, pool=False, name="context", dtype=policy
        )

    def build(self, shapes):
        for projection, shape in zip(self.projections, shapes, strict=True):
            projection.build(shape)
        self.context.build((*shapes[0][:-1], len(shapes) * self.channels))

    def call(self, features, training=None):
        maps = [
            resize(project(x), features[0].shape[1:3])
            for project, x in zip(self.projections, features, strict=True)
        ]
        return self.context(ops.concatenate(maps, -1), training=training)

    def compute_output_shape(self, shapes):
        return (*shapes[0][:-1], self.channels)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels, "dilations": self.dilations}
