"""Predicting a picture with a run."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rdepth_keras.arrays import Image, Label, Tile
from rdepth_keras.depth.normalise import normalise
from rdepth_keras.depth.presets import PRESETS
from rdepth_keras.depth.scene import WINDOW_PIXELS
from rdepth_keras.experiment import Experiment
from rdepth_keras.labels import IGNORE
from rdepth_keras.predict.picture import read_depth, read_image
from rdepth_keras.run.directory import read_experiment
from rdepth_keras.run.predictor import load_predictor
from rdepth_keras.tiling import blend_weights, windows

STRIDE_SHARE = 0.75  # of a tile, between the windows of a larger picture


def predict_picture(
    directory: Path,
    picture: Path,
    depth_file: Path | None,
    depth_checkpoint: str | None,
    notify: Callable[[str], None] = print,
) -> Label:
    """Train ids (H, W) of a picture, by the run in ``directory``.

    Depth is read from ``depth_file``, or estimated: by ``depth_checkpoint``, or by the one whose
    depth the run was trained with; says by which, and under what licence.

    Raises:
        ValueError: for files that do not fit, or where the run's depth cannot be estimated.
        ImportError: where the estimator is not installed, naming the remedy.
    """
    image = read_image(picture)
    experiment = read_experiment(directory)
    if experiment.segmenter.depth_encoder is None:
        depth = np.zeros(image.shape[:2], np.float32)  # a network of the image never reads it
    elif depth_file is not None:
        depth = read_depth(depth_file, *image.shape[:2])[..., 0]
    else:
        depth = _estimate(image, depth_checkpoint or _depth_origin(directory), notify)
    return predict_tiles(load_predictor(directory), image, depth, _tile_pixels(experiment))


def predict_tiles(
    scores: Callable[[Tile], np.ndarray], image: Image, depth: np.ndarray, tile_pixels: int
) -> Label:
    """Train ids (H, W) of an image of any size, seen through windows as large as a tile.

    ``depth`` (H, W) is without seams, of any range. Networks know depth as it is stretched over a
    tile; so it is stretched over each window's own footprint. The scores of overlapping windows
    are blended.
    """
    height, width = depth.shape
    places = windows(height, width, tile_pixels, max(1, round(STRIDE_SHARE * tile_pixels)))
    weight = blend_weights(places.window_height, places.window_width, "tapered")[..., None]
    total: np.ndarray | None = None
    for top, left in zip(places.tops, places.lefts, strict=True):
        place = np.s_[top : top + places.window_height, left : left + places.window_width]
        label = np.full(weight.shape[:2], IGNORE, np.uint8)
        found = scores(Tile(id=0, image=image[place], depth=normalise(depth[place]), label=label))
        if total is None:
            total = np.zeros((height, width, found.shape[-1]), np.float32)
        total[place] += weight * found
    assert total is not None
    return total.argmax(-1).astype(np.uint8)  # the same with and without the sum of the weights


def _tile_pixels(experiment: Experiment) -> int:
    """Side of the tiles the run knows; LoveDA's, too, for a folder, whose tiles may vary."""
    return experiment.demo.tile_pixels if experiment.dataset == "demo" else WINDOW_PIXELS


def _estimate(image: Image, origin: str, notify: Callable[[str], None]) -> np.ndarray:
    # Imported here: the estimator needs KerasHub, which the base install does not have.
    from rdepth_keras.depth.estimator import load_estimator

    notify(_describe(origin))
    return load_estimator(origin)(image)


def _describe(origin: str) -> str:
    for preset in PRESETS.values():
        if preset.origin == origin:
            return f"Depth by {preset.title} ({origin}); weights under {preset.licence}."
    return f"Depth by {origin}; its weights' licence is not known here."


def _depth_origin(directory: Path) -> str:
    """The checkpoint behind the depth the run was trained with."""
    path = directory / "environment.json"
    depth = json.loads(path.read_text(encoding="utf-8"))["depth"] if path.exists() else {}
    if depth.get("source") not in PRESETS:
        raise ValueError(
            f"The run in {directory} was trained with depth from {depth.get('source', 'nowhere')}, "
            "which cannot be estimated by name. Give a depth map with --depth FILE, or name an "
            "estimator with --depth-checkpoint, e.g. LiheYoung/depth-anything-large-hf."
        )
    return depth["origin"]
