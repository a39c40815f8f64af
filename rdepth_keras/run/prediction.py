"""Predicting a picture with a run."""

import json
from pathlib import Path

import numpy as np

from rdepth_keras.arrays import Depth, Image, Label
from rdepth_keras.depth.normalise import normalise
from rdepth_keras.labels import IGNORE
from rdepth_keras.predict.picture import read_depth, read_image
from rdepth_keras.run.directory import read_experiment
from rdepth_keras.run.predictor import load_predictor


def predict_picture(
    directory: Path, picture: Path, depth_file: Path | None, depth_checkpoint: str | None
) -> Label:
    """Train ids (H, W) of a picture, by the run in ``directory``.

    Depth is read from ``depth_file``, or estimated: by ``depth_checkpoint``, or by the one whose
    depth the run was trained with.

    Raises:
        ValueError: for files that do not fit, or where the run's depth cannot be estimated.
        ImportError: where the estimator is not installed, naming the remedy.
    """
    image = read_image(picture)
    if read_experiment(directory).segmenter.depth_encoder is None:
        depth = np.zeros((*image.shape[:2], 1), np.float32)  # a network of the image never reads it
    elif depth_file is not None:
        depth = read_depth(depth_file, *image.shape[:2])
    else:
        depth = _estimate(image, depth_checkpoint or _depth_origin(directory))
    predict = load_predictor(directory)
    label = np.full(image.shape[:2], IGNORE, np.uint8)
    scores = predict({"id": 0, "image": image, "depth": depth, "label": label})
    return scores.argmax(-1).astype(np.uint8)


def _estimate(image: Image, origin: str) -> Depth:
    # Imported here: the estimator needs KerasHub, which the base install does not have.
    from rdepth_keras.depth.estimator import load_estimator

    return normalise(load_estimator(origin)(image))


def _depth_origin(directory: Path) -> str:
    """The checkpoint behind the depth the run was trained with."""
    path = directory / "environment.json"
    depth = json.loads(path.read_text(encoding="utf-8"))["depth"] if path.exists() else {}
    if "origin" not in depth:
        raise ValueError(
            f"The run in {directory} was trained with depth from {depth.get('source', 'nowhere')}, "
            "which cannot be estimated. Give a depth map with --depth FILE, or name an estimator "
            "with --depth-checkpoint, e.g. LiheYoung/depth-anything-large-hf."
        )
    return depth["origin"]
