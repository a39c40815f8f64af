"""ST-DASegNet's network with encoders and decoders that compile fast, for tests."""

import keras

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.models import STDASegNet
from rdepth_keras.models.layers.basic import BatchNorm, ConvBlock
from rdepth_keras.models.layers.convolutions import PaddedConv
from rdepth_keras.network import Network

WIDTH = 8


class Encoder(keras.Layer):
    """Two blocks at stride 2; the first three of the four maps are the first block's."""

    def __init__(self, drop_path, remat, accumulate, **options):
        super().__init__(**options)
        self.convs = [PaddedConv(WIDTH, 3, 2 // index, name=f"conv{index}") for index in (1, 2)]
        self.norms = [BatchNorm(name=f"norm{index}") for index in (1, 2)]

    def build(self, shape):
        for conv, norm in zip(self.convs, self.norms, strict=True):
            conv.build(shape)
            shape = conv.compute_output_shape(shape)
            norm.build(shape)

    def call(self, x, training=None):
        maps = []
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = keras.ops.relu(norm(conv(x), training=training))
            maps.append(x)
        return (maps[0], maps[0], maps[0], maps[1])

    def compute_output_spec(self, x, training=None):
        return tuple(keras.KerasTensor((None, None, None, WIDTH), "float32") for _ in range(4))


class Decoder(keras.Layer):
    """All maps side by side, a 1x1 block."""

    def __init__(self, channels, **options):
        super().__init__(**options)
        self.fuse = ConvBlock(channels, 1, name="fuse")

    def build(self, shapes):
        self.fuse.build((*shapes[0][:-1], sum(shape[-1] for shape in shapes)))

    def call(self, maps, training=None):
        return self.fuse(keras.ops.concatenate(maps, -1), training=training)

    def compute_output_shape(self, shapes):
        return (*shapes[0][:-1], self.fuse.channels)


def segmenter(classes=7, dropout=0.1, name=SEGMENTER, dtype=None):
    """The network with taps, of fixed random weights."""
    keras.utils.set_random_seed(0)
    network = STDASegNet(Encoder, Encoder, decoder=Decoder, channels=WIDTH, dropout=dropout)
    return Network(network.build(classes, taps=True, name=name, dtype=dtype))
