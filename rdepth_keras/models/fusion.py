"""Fusions: the image's and the depth's feature map of one stage -> one map, a function each.

``fuse(image_map, depth_map, name, dtype)`` takes two maps (B, h, w, C) of one size; the channels
may differ.
"""

import keras
from keras import ops

from rdepth_keras.models.layers.basic import Composite, LayerScale, Normal, register
from rdepth_keras.models.layers.resample import resize

GATE = "_gate"  # follows the name of a gated fusion


def concat(image_map, depth_map, name: str, dtype=None):
    """Both maps side by side: C_image + C_depth channels, the paper's fusion."""
    layer = keras.layers.Concatenate(axis=-1, name=name, dtype=dtype)
    return layer([image_map, depth_map])


def add(image_map, depth_map, name: str, dtype=None):
    """The image's map plus the depth's, brought to C_image channels where it has others."""
    return Added(name=name, dtype=dtype)([image_map, depth_map])


def gated(image_map, depth_map, name: str, dtype=None):
    """The image's map plus the depth's where a gate lets it through; nothing at the start."""
    gate = Gate(name=name + GATE, dtype=dtype)([image_map, depth_map])
    return Gated(name=name, dtype=dtype)([image_map, depth_map, gate])


@register
class Added(Composite):
    """image + project(depth), the projection only where the channels differ."""

    def build(self, shapes):
        image, depth = shapes
        self.project = None
        if image[-1] != depth[-1]:
            self.project = _dense(image[-1], "project", self.dtype_policy)
            self.project.build(depth)

    def call(self, maps):
        image, depth = maps
        return image + (self.project(depth) if self.project else depth)

    def compute_output_shape(self, shapes):
        return shapes[0]


@register
class Gate(Composite):
    """sigmoid(dense(image, depth)): a map in [0, 1] with the image's channels."""

    def build(self, shapes):
        image, depth = shapes
        self.dense = _dense(image[-1], "dense", self.dtype_policy)
        self.dense.build((*image[:-1], image[-1] + depth[-1]))

    def call(self, maps):
        return ops.sigmoid(self.dense(ops.concatenate(maps, -1)))

    def compute_output_shape(self, shapes):
        return shapes[0]


@register
class Gated(Composite):
    """image + scale * gate * project(depth), with a scale of 0 at first.

    So the network starts as the one of the image only, and depth comes in as training wants it.
    """

    def build(self, shapes):
        image, depth, _ = shapes
        self.project = _dense(image[-1], "project", self.dtype_policy)
        self.scale = LayerScale(0.0, name="scale", dtype=self.dtype_policy)
        for layer, shape in ((self.project, depth), (self.scale, image)):
            layer.build(shape)

    def call(self, maps):
        image, depth, gate = maps
        return image + self.scale(gate * self.project(depth))

    def compute_output_shape(self, shapes):
        return shapes[0]


def _dense(channels, name, dtype):
    return keras.layers.Dense(channels, kernel_initializer=Normal(0.02), name=name, dtype=dtype)


@register
class Align(keras.Layer):
    """A map resized to the size of another, which encoders of different families need."""

    def call(self, x, other):
        return resize(x, other.shape[1:3])

    def compute_output_shape(self, x_shape, other_shape):
        return (*other_shape[:-1], x_shape[-1])


FUSIONS = {"concat": concat, "add": add, "gated": gated}
