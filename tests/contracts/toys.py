"""A network of one or two heads that compiles in a second, for methods that need such."""

import keras

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.models.deeplab import MergedOutput
from rdepth_keras.models.layers.basic import BatchNorm
from rdepth_keras.models.layers.convolutions import PaddedConv
from rdepth_keras.network import Network

WIDTH = 8


def segmenter(stages=(2,), norm=BatchNorm, classes=7, name=SEGMENTER, seed=0):
    """Image -> logits of a head on each of ``stages``, 1 or 2, and four features, at stride 2.

    As a DeepLabV2 with taps hands them out, whose heads predict together: logits are a map for one
    stage, else a tuple; the first three features are stage 1.
    """
    keras.utils.set_random_seed(seed)
    image = keras.Input((None, None, 3), name="image")
    x, maps = keras.layers.Rescaling(1 / 127.5, offset=-1)(image), []
    for index, stride in enumerate((2, 1), 1):
        x = PaddedConv(WIDTH, 3, stride, name=f"conv{index}")(x)
        x = keras.layers.ReLU()(norm(name=f"norm{index}")(x))
        maps.append(x)
    logits = tuple(
        keras.layers.Dense(classes, name=f"head{index}")(maps[stage - 1])
        for index, stage in enumerate(stages, 1)
    )
    features = (maps[0], maps[0], maps[0], maps[1])
    outputs = {"logits": logits if len(logits) > 1 else logits[0], "features": features}
    outputs = MergedOutput(taps=True, merge="mean")({"image": image, **outputs})
    return Network(keras.Model({"image": image}, outputs, name=name))
