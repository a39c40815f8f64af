"""Depth Anything for any size: KerasHub's layers, wired for images that need not be square.

KerasHub's own model takes one square size, and interpolates the position embedding with another
cubic than the one these networks were trained with. The layers and their weights are right; only
the wiring is done here again (Yang et al., arXiv 2401.10891; Ranftl et al., arXiv 2103.13413).
"""

from typing import Any

import jax
import keras
import numpy as np

from rdepth_keras.depth.resize import resize_bicubic, resize_corners

ops: Any = keras.ops  # its annotations say that everything may be None
PATCH = 14  # pixels; sides of the input are multiples of it


class DepthNetwork(keras.Model):
    """Normalised images (B, height, width, 3) -> relative depth (B, *size) float32, >= 0.

    ``backbone`` is a KerasHub DepthAnythingBackbone, whose layers are shared, not copied; sides
    are multiples of 14. ``size`` is that of the original image.
    """

    def __init__(self, backbone, height: int, width: int, size: tuple[int, int]):
        super().__init__(name="depth_anything")
        self.backbone, self.height, self.width, self.size = backbone, height, width, size
        self._grid = height // PATCH, width // PATCH
        self._positions = _positions(backbone.image_encoder.embeddings, *self._grid)

        self.built = True  # every layer is; building anew would run each operation by itself

    def call(self, images):
        tokens = _tokens(self.backbone, images, self._positions)
        maps = [ops.reshape(x[:, 1:], (-1, *self._grid, x.shape[-1])) for x in tokens]
        fused = _neck(self.backbone.neck, maps)[self.backbone.head_in_index]
        depth = ops.cast(_head(self.backbone.head, fused, self.height, self.width), "float32")
        if self.size != (self.height, self.width):
            depth = ops.image.resize(depth, self.size, interpolation="bilinear")
        return depth[..., 0]


def _tokens(backbone, images, positions: np.ndarray):
    """The chosen stages of the vision transformer, (B, tokens, channels) each."""
    encoder = backbone.image_encoder
    x = encoder.embeddings.patch_embeddings.projection(images)
    x = ops.reshape(x, (-1, positions.shape[1] - 1, encoder.hidden_dim))
    first = ops.zeros_like(x[:, :1]) + ops.cast(encoder.embeddings.cls_token, x.dtype)
    x = ops.concatenate([first, x], axis=1) + ops.cast(positions, x.dtype)
    stages = {}
    for number, layer in enumerate(encoder.encoder.layers, start=1):
        x = _block(layer, x)
        stages[f"stage{number}"] = x
    chosen = [stages[key] for key in stages if key in backbone.feature_keys]
    return [encoder.layernorm(x) for x in chosen] if encoder.apply_layernorm else chosen


def _block(layer, x):
    """One layer of the transformer, but with attention as :func:`_attend` does it."""
    x = x + layer.layer_scale1(_attend(layer.attention.attention, layer.norm1(x)))
    return x + layer.layer_scale2(layer.mlp(layer.norm2(x)))


def _attend(attention, x):
    """Self-attention with the weights of a keras.layers.MultiHeadAttention."""
    parts = attention.query_dense, attention.key_dense, attention.value_dense
    parts = [part(x) for part in parts]  # (B, tokens, heads, channels) each
    heads = jax.lax.platform_dependent(
        *parts, cpu=_attend_by_head, default=ops.dot_product_attention
    )
    return attention.output_dense(heads)


def _attend_by_head(*parts):
    """The same as ``dot_product_attention``; a CPU's cache holds the scores of a head, not of all.

    At 518 x 518 pixels it takes less than 0.4 of the other's time. The softmax's division comes
    after the product with the values, where it is of fewer numbers; all in float32.
    """
    heads, dtype = [], parts[0].dtype
    by_head = [ops.unstack(ops.cast(part, "float32"), axis=2) for part in parts]
    for query, key, value in zip(*by_head, strict=True):
        scores = ops.einsum("bqd,bkd->bqk", query / query.shape[-1] ** 0.5, key)
        shares = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True))
        total = ops.sum(shares, axis=-1, keepdims=True)
        heads.append(ops.einsum("bqk,bkd->bqd", shares, value) / total)
    return ops.cast(ops.stack(heads, axis=2), dtype)


def _positions(embeddings, rows: int, columns: int) -> np.ndarray:
    """(1, 1 + rows * columns, channels): the learnt grid, resized to this image."""
    learnt = ops.convert_to_numpy(embeddings.position_embeddings)
    side = round((learnt.shape[1] - 1) ** 0.5)
    grid = learnt[0, 1:].reshape(side, side, -1)
    if (rows, columns) != (side, side):
        grid = resize_bicubic(grid, rows, columns)
    return np.concatenate([learnt[:, :1], grid.reshape(1, rows * columns, -1)], axis=1)


def _neck(neck, maps):
    """Reassembles the stages at four strides and fuses them from coarse to fine."""
    maps = [layer(x) for layer, x in zip(neck.reassemble_stage, maps, strict=True)]
    maps = [conv(pad(x)) for conv, pad, x in zip(neck.convs, neck.paddings, maps, strict=True)]
    maps, fused = maps[::-1], []
    for index, layer in enumerate(neck.fusion_stage):
        x = maps[index]
        if fused:
            x = fused[-1] + layer.residual_layer1(x)
        x = layer.residual_layer2(x)
        finer = index + 1 < len(maps)
        size = maps[index + 1].shape[1:3] if finer else (2 * x.shape[1], 2 * x.shape[2])
        # resizing and a 1 x 1 convolution commute: the weights of a resized pixel sum to 1
        fused.append(resize_corners(layer.projection(x), *size))
    return fused


def _head(head, x, height: int, width: int):
    x = head.conv1(head.padding1(x))
    x = resize_corners(x, height, width)
    x = head.activation1(head.conv2(head.padding2(x)))
    # The last, 1 x 1 to one channel, is a product: as a convolution it takes 3 % of a CPU's time.
    return ops.relu(ops.matmul(x, head.conv3.kernel[0, 0]) + head.conv3.bias)
