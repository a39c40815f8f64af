"""Predicting pictures with a run."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rdepth_keras.arrays import Image, Label, Tile
from rdepth_keras.data.agreement import unfit_depth
from rdepth_keras.data.doubts import doubt_depth, doubt_picture
from rdepth_keras.data.folder.coordinates import OTHER_SIZE, pixel_metres
from rdepth_keras.data.folder.dataset import MAPS
from rdepth_keras.data.folder.depth_record import record_of
from rdepth_keras.depth.normalise import FLAT_VALUES, flat_notice, is_flat, normalise
from rdepth_keras.depth.presets import PRESETS, find_checkpoint
from rdepth_keras.depth.scene import WINDOW_PIXELS, estimate_scene, window_of
from rdepth_keras.infer import Inference, classify
from rdepth_keras.labels import IGNORE
from rdepth_keras.predict.picture import read_depth, read_image
from rdepth_keras.run.directory import Run
from rdepth_keras.run.effects import check_windows
from rdepth_keras.run.evaluation import MOST_TIMES
from rdepth_keras.run.files import other_versions
from rdepth_keras.run.predictor import load_predictor, unfinished
from rdepth_keras.tiling import Windows, blend_windows, windows

STRIDE_SHARE = 0.75  # of a tile, between the windows of a larger picture
Tell = Callable[[str], None]
Estimate = Callable[[Image], np.ndarray]


@dataclass(frozen=True)
class PicturePredictor:
    """Pictures of any size -> train ids.

    Attributes:
        predict: tile -> prediction (H, W, K).
        tile_pixels: side of the tiles that the run knows: larger pictures are seen in windows.
        reads_depth: whether depth is looked at.
        estimate: image -> raw relative depth (H, W), for pictures without a map.
        notify: hears of pictures and depth maps that tell nothing, and of those of another origin.
        origin: of the depth that the run was trained with, or what it says of it; None for nothing.
        known_pixels: side of the tiles that trained, where that is known.
        known_metres: side of their pixels on the ground, where that is known.
    """

    predict: Callable[[Tile], np.ndarray]
    tile_pixels: int
    reads_depth: bool
    estimate: Estimate
    notify: Tell = print
    origin: str | None = None
    known_pixels: int | None = None
    known_metres: float | None = None

    def __call__(self, picture: Path, depth_file: Path | None = None) -> Label:
        """Train ids (H, W) of a picture; raises ValueError for files that do not fit."""
        image = read_image(picture)
        if doubt := doubt_picture(image):
            self.notify(f"WARNING: a picture {doubt}: {picture}")
        if told := self._other_ground(picture):
            self.notify(f"WARNING: {told}")
        side, known = max(image.shape[:2]), self.known_pixels or 0
        if self.reads_depth and MOST_TIMES * side < known:
            self.notify(
                f"WARNING: {picture} has {side} pixels a side, and tiles that trained up to "
                f"{known}: depth is relative to a tile, and so another one here"
            )
        if not self.reads_depth:
            depth = np.zeros(image.shape[:2], np.float32)
        elif depth_file is not None:
            depth = read_depth(depth_file, *image.shape[:2])[..., 0]
            if is_flat(depth):
                self.notify(flat_notice([str(depth_file)]))
            elif coarse := self._coarse(depth):
                self.notify(f"WARNING: {depth_file}: {coarse}")
            if doubt := doubt_depth(depth[..., None], image):
                self.notify(f"WARNING: a depth map {doubt}: {depth_file}")
            elif unfit := unfit_depth(image, depth[..., None]):
                self.notify(f"WARNING: {depth_file}: {unfit}")
            source = _maker(depth_file, picture)
            if None not in (source, self.origin) and source != self.origin:
                self.notify(
                    f"WARNING: {depth_file} was made by {source}, and the run was trained with "
                    f"depth by {self.origin}"
                )
        else:
            depth = self.estimate(image)
            if is_flat(depth):
                self.notify(flat_notice([f"the one estimated of {picture}"]))
        return predict_tiles(self.predict, image, depth, self.tile_pixels, str(picture))

    def _other_ground(self, picture: Path) -> str:
        """In words, that a pixel is of another size on the ground than those that trained."""
        own, known = pixel_metres(picture), self.known_metres
        if not own or not known or known / OTHER_SIZE <= own <= known * OTHER_SIZE:
            return ""
        return (
            f"{picture} has pixels of {own:.3g} m on the ground by its coordinates, and the run "
            f"was trained on {known:.3g} m, so that things are of other sizes: resample it first "
            "(`gdalwarp -tr`)"
        )

    def _coarse(self, depth: np.ndarray) -> str:
        """In words, in how many windows a map tells too little, each stretched for itself."""
        places = list(_grid(depth, self.tile_pixels).extents())
        if not (flat := sum(is_flat(depth[place]) for place in places)):
            return ""
        return (
            f"in {flat} of the {len(places)} windows that it is seen in, it holds at most "
            f"{FLAT_VALUES} values, or nearly one: give a finer map, of 16 bits or floats"
        )


def load_picture_predictor(
    run: Run,
    *,
    inference: Inference | None = None,
    depth_checkpoint: str | None = None,
    estimates: bool = True,
    notify: Tell = print,
) -> PicturePredictor:
    """A run made ready for pictures.

    Args:
        run: the run.
        inference: within a tile; None is the run's own, with overlapping windows.
        depth_checkpoint: of the estimator: a name of ``rdepth_keras.depth.presets.PRESETS``, a hub
            name or a folder; None is the one whose depth the run was trained with.
        estimates: whether depth is estimated for any picture; where it is, its checkpoint is loaded
            now, and its licence told.
        notify: hears of it.

    Raises:
        ValueError: where the run's depth cannot be estimated, and for windows that nobody can mean.
        ImportError: where the estimator is not installed, naming the remedy.
    """
    experiment, pixels = run.experiment, _tile_pixels(run, notify)
    estimate: Estimate = _no_estimate
    if experiment.network.reads_depth and estimates:
        estimate = _load_estimator(run, depth_checkpoint, pixels, notify)
    own, asked = experiment.training.inference, inference and inference.window_pixels
    if inference is not None:
        check_windows(inference, own.seamless())
    if asked and asked > pixels and asked != own.window_pixels:
        raise ValueError(
            f"--inference.window-pixels {asked} has no effect: pictures are seen in tiles of "
            f"{pixels} pixels, as {run} was trained. Leave it away, or give at most {pixels}."
        )
    inference = inference or own.seamless()
    predictor = load_predictor(run, inference)
    for note in (*other_versions(run, experiment), *predictor.damaged, *unfinished([run])):
        notify(note)
    reads_depth = experiment.network.reads_depth
    origin = _depth_origin(run) or run.environment.get("depth", {}).get("source")
    known = run.environment.get("tile_pixels"), run.environment.get("pixel_metres")
    return PicturePredictor(predictor, pixels, reads_depth, estimate, notify, origin, *known)


def predict_tiles(
    predict: Callable[[Tile], np.ndarray],
    image: Image,
    depth: np.ndarray,
    tile_pixels: int,
    name: str = "the picture",
) -> Label:
    """Train ids (H, W) of an image of any size, seen through windows as large as a tile.

    ``depth`` (H, W) is without seams, of any range. Networks know depth as it is stretched over a
    tile; so it is stretched over each window's own footprint. The predictions of overlapping
    windows are blended.
    """
    grid = _grid(depth, tile_pixels)

    def look(place: tuple[slice, slice]) -> np.ndarray:
        label = np.full(depth[place].shape, IGNORE, np.uint8)
        where: Any = f"at {place[0].start}, {place[1].start} of {name}"  # for what goes wrong in it
        return predict(
            Tile(id=where, image=image[place], depth=normalise(depth[place]), label=label)
        )

    return classify(blend_windows(grid, map(look, grid.extents())), name)


def _grid(depth: np.ndarray, tile_pixels: int) -> Windows:
    height, width = depth.shape
    return windows(height, width, tile_pixels, max(1, round(STRIDE_SHARE * tile_pixels)))


def _no_estimate(_: Image) -> np.ndarray:
    raise ValueError("This picture has no depth map, and no estimator was loaded.")


def _tile_pixels(run: Run, notify: Tell) -> int:
    """Longest side of the tiles that trained; where nobody knows it, that is told."""
    known = run.environment.get("tile_pixels", run.experiment.data.tile_pixels)
    if known is None:
        notify(
            f"WARNING: {run} is of an earlier version, and does not say how large its tiles are: "
            f"they are taken for {WINDOW_PIXELS} pixels. If they are not, maps differ from those "
            "that its scores were made of: cut pictures into tiles first, or train it again."
        )
    return known or WINDOW_PIXELS


def _load_estimator(run: Run, source: str | None, tile_pixels: int, notify: Tell) -> Estimate:
    own = _depth_origin(run)
    if source is None and own is None:
        noted = run.environment.get("depth", {}).get("source", "nowhere")
        raise ValueError(
            f"The run in {run} was trained with depth from {noted}, which cannot be estimated by "
            "name. Give a depth map with --depth FILE, or name an estimator with "
            "--depth-checkpoint, e.g. depth_anything_v1_large."
        )
    # Imported here: the estimator needs KerasHub, which the base install does not have.
    from rdepth_keras.depth.estimator import load_estimator

    preset = find_checkpoint(source or own or "")
    notify(str(preset))
    is_own = own in (preset.origin, preset.repository)
    if not is_own:
        noted = run.environment.get("depth", {}).get("source", "nobody knows what")
        notify(f"WARNING: {run} was trained with other depth, by {own or noted}")
    estimator, noted = load_estimator(preset.origin), _fingerprint(run)
    if is_own and noted and noted != estimator.fingerprint:
        notify(f"WARNING: {run} was trained with other depth, by other weights of {own}")
    return partial(estimate_scene, estimator.view, window_pixels=window_of(tile_pixels))


def _maker(depth: Path, picture: Path) -> str | None:
    """The checkpoint that made a map of a folder's, as noted beside it; None where nobody did."""
    record = record_of(depth)
    return record.source if record is not None and record.made(picture, depth) else None


def _depth_origin(run: Run) -> str | None:
    """The checkpoint behind the depth the run was trained with; None where no name leads to it."""
    depth = run.environment.get("depth", {})
    source = depth.get("source", "")
    is_named = source in (*PRESETS, MAPS) or source.startswith("checkpoint_")  # and a hub name
    return depth.get("origin") if is_named else None


def _fingerprint(run: Run) -> str | None:
    """Of the estimator that made a folder's maps; prepared data have one of another precision."""
    depth = run.environment.get("depth", {})
    return depth.get("fingerprint") if depth.get("source") == MAPS else None
