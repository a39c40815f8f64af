"""What networks make of a published picture, with published weights, both from the hub.

``python run_published.py NETWORK OUT.npy``: see test_published.py. A process of its own, since the
hub's client reads its settings when it is imported, and KerasHub loads TensorFlow.
"""

import sys
from unittest import mock

import numpy as np
from huggingface_hub import hf_hub_download
from keras import ops
from PIL import Image

from rdepth_keras import checkpoints, models
from rdepth_keras.depth.estimator import load_estimator, prepare
from rdepth_keras.depth.presets import PRESETS
from rdepth_keras.models.weights.load import PUBLISHED


def read_picture():
    """COCO 000000039769, two cats: 640 x 480."""
    repository, file = "hf-internal-testing/fixtures-coco", "val2017/000000039769.jpg"
    return Image.open(hf_hub_download(repository, file, repo_type="dataset")).convert("RGB")


def depth_anything():
    """The first corner of the raw depth at the network's size."""
    estimator = load_estimator(PRESETS["depth_anything_v1_small"].origin)
    inputs = prepare(np.asarray(read_picture()))[None]
    return estimator.estimate(inputs, inputs.shape[1:3])[0, :3, :3]


def segformer():
    """The first corner of the first three classes' logits, as (classes, h, w)."""
    name = "nvidia/segformer-b0-finetuned-ade-512-512"
    model = models.build("segformer_b0", classes=150, taps=True, weights=name)
    image = np.asarray(read_picture().resize((512, 512), Image.Resampling.BILINEAR))
    logits = model.predict({"image": image[None]}, verbose=0)["logits"]
    return logits[0, :3, :3, :3].transpose(2, 0, 1)


def convnext():
    """The first three of the 1000 logits of a classifier over our encoder."""
    sizes = {"channels": 8, "auxiliary_channels": None}
    model = models.build("convnext_b", image_encoder="tiny", weights="imagenet", **sizes)
    picture = read_picture().resize((341, 256), Image.Resampling.BICUBIC)
    image = np.asarray(picture.crop((58, 16, 58 + 224, 16 + 224)), np.float32)
    encoder = model.get_layer("image_encoder")
    norm = encoder.output_norms[-1]
    with mock.patch.object(norm, "call", lambda x: x):  # a classifier norms what is pooled
        maps = encoder(model.get_layer("normalise_image")(image[None]))
    pooled = norm(ops.mean(maps[-1], (1, 2), keepdims=True))[0, 0, 0]
    classifier = checkpoints.load(PUBLISHED["tiny"])
    return (classifier["head.fc.weight"] @ pooled + classifier["head.fc.bias"])[:3]


if __name__ == "__main__":
    found = {"depth_anything": depth_anything, "segformer": segformer, "convnext": convnext}
    np.save(sys.argv[2], found[sys.argv[1]]())
