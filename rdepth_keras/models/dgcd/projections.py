"""The projections that the cross-modal contrastive term compares."""

import keras
from keras import ops

from rdepth_keras.models.layers.basic import BatchNorm, Composite, Normal, register


@register
class Contrast(Composite):
    """An image and a depth feature map -> (mix, image), float32 unit vectors (B, h', w', channels).

    Both maps are pooled by ``pool`` (less where a map is smaller) and projected without bias,
    batch norm after; mix = (1 - s) * image + s * depth, s = sigmoid(b), b learnt from ``initial``.
    """

    def __init__(self, channels=128, pool=4, initial=0.3, **options):
        super().__init__(**{**options, "autocast": False})
        self.channels, self.pool, self.initial = channels, pool, initial
        policy = self.dtype_policy
        self.projections = [
            keras.layers.Dense(
                channels, use_bias=False, kernel_initializer=Normal(), name=name, dtype=policy
            )
            for name in ("image", "depth")
        ]
        self.norms = [BatchNorm(name=f"{name}_norm", dtype=policy) for name in ("image", "depth")]

    def build(self, image_map_shape, depth_map_shape):
        initializer = keras.initializers.Constant(self.initial)
        self.share = self.add_weight(shape=(), initializer=initializer, name="share")
        shapes = (image_map_shape, depth_map_shape)
        for dense, norm, shape in zip(self.projections, self.norms, shapes, strict=True):
            dense.build(shape)
            norm.build((*shape[:-1], self.channels))

    def call(self, image_map, depth_map, training=None):
        image, depth = (
            ops.cast(norm(dense(self.shrink(x)), training=training), "float32")
            for dense, norm, x in zip(
                self.projections, self.norms, (image_map, depth_map), strict=True
            )
        )
        share = ops.sigmoid(self.share)
        return unit((1 - share) * image + share * depth), unit(image)

    def shrink(self, x):
        window = tuple(min(self.pool, side) for side in x.shape[1:3])
        return ops.average_pool(x, window, window, padding="valid", data_format="channels_last")

    def compute_output_spec(self, image_map, depth_map, training=None):
        batch, *size, _ = image_map.shape
        size = (side if side is None else max(side // self.pool, 1) for side in size)
        shape = (batch, *size, self.channels)
        # Two tensors: of one that is returned twice, Keras takes the second value for both.
        return keras.KerasTensor(shape, "float32"), keras.KerasTensor(shape, "float32")

    def get_config(self):
        config = {"channels": self.channels, "pool": self.pool, "initial": self.initial}
        return {**super().get_config(), **config}


def unit(x):
    """Vectors of length 1 along the last axis; a zero vector stays one, with a finite gradient."""
    return x / ops.sqrt(ops.maximum(ops.sum(x * x, -1, keepdims=True), 1e-24))
