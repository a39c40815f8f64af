"""SegFormer's decoder (Xie et al., NeurIPS 2021): every map to one width and size, then fused.

Paths under the decoder's name: ``project1`` to ``project4`` and ``fuse``.
"""

from keras import ops

from rdepth_keras.models.encoders.convnext import dense
from rdepth_keras.models.layers.basic import Composite, ConvBlock, register
from rdepth_keras.models.layers.resample import resize


@register
class SegFormer(Composite):
    """Four maps -> (B, h, w, channels) at the first map's size.

    ``linear=True`` is the original's head: dense projections, joined from the last map to the
    first. ``linear=False`` is mmsegmentation's: 1x1 blocks with batch norm and ReLU, joined from
    the first to the last. Either way a 1x1 block follows.
    """

    def __init__(self, channels=256, linear=True, **options):
        super().__init__(**options)
        self.channels, self.linear = channels, linear
        policy = self.dtype_policy
        self.projections = [
            dense(channels, f"project{stage}", dtype=policy)
            if linear
            else ConvBlock(channels, 1, name=f"project{stage}", dtype=policy)
            for stage in (1, 2, 3, 4)
        ]
        self.fuse = ConvBlock(channels, 1, name="fuse", dtype=policy)

    def build(self, shapes):
        for projection, shape in zip(self.projections, shapes, strict=True):
            projection.build(shape)
        self.fuse.build((*shapes[0][:-1], len(shapes) * self.channels))

    def call(self, features, training=None):
        options = {} if self.linear else {"training": training}
        maps = [
            resize(project(x, **options), features[0].shape[1:3])
            for project, x in zip(self.projections, features, strict=True)
        ]
        if self.linear:
            maps.reverse()
        return self.fuse(ops.concatenate(maps, -1), training=training)

    def compute_output_shape(self, shapes):
        return (*shapes[0][:-1], self.channels)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels, "linear": self.linear}
