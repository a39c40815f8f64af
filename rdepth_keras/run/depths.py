"""Depth maps for a folder of one's own tiles."""

from collections.abc import Callable, Iterable
from pathlib import Path

from rdepth_keras.atomic import write_bytes
from rdepth_keras.data import png
from rdepth_keras.data.folder.files import decode_image, peek_image
from rdepth_keras.data.folder.folder import image_files
from rdepth_keras.depth.normalise import constant_notice, is_constant, quantise
from rdepth_keras.depth.presets import find_checkpoint

Tell = Callable[[int, int], None]  # maps done, maps in all


def write_depths(root: Path, source: str, notify: Callable[[str], None], tell: Tell) -> int:
    """Writes ``<split>/<domain>/depths/NAME.png`` for every image that has none; returns how many.

    The maps are 16-bit, stretched from each one's own minimum and maximum, larger = nearer. Killed,
    it goes on where it stopped; maps that are there are left alone.

    Args:
        root: of the folder, see :func:`rdepth_keras.data.folder.folder.open_folder`.
        source: a published checkpoint's name, a hub name, or a folder, see
            :func:`rdepth_keras.depth.presets.find_checkpoint`.
        notify: hears by what depth is estimated, under what licence, and which maps are constant.
        tell: hears of each map.

    Raises:
        FileNotFoundError: where there are no tiles, or no checkpoint.
        ValueError: for images that cannot be read, naming them all, and for an unknown source.
        ImportError: where the estimator is not installed, naming the remedy.
    """
    checkpoint = find_checkpoint(source)
    places = {
        image: image.parents[1] / "depths" / f"{image.stem}.png" for image in image_files(root)
    }
    wanted = {image: place for image, place in places.items() if not place.exists()}
    if not wanted:
        return 0
    _check(wanted)
    # Imported here: the estimator needs KerasHub, which the base install does not have.
    from rdepth_keras.depth.estimator import load_estimator

    notify(f"depth by {checkpoint}")
    estimator = load_estimator(checkpoint.origin)
    constant = []
    for done, (image, place) in enumerate(wanted.items(), 1):
        depth = quantise(estimator(decode_image(image)))
        place.parent.mkdir(exist_ok=True)
        write_bytes(place, png.encode(depth.values))
        if is_constant(depth.values):
            constant.append(str(place))
        tell(done, len(wanted))
    if constant:
        notify(constant_notice(constant))
    return len(wanted)


def _check(images: Iterable[Path]) -> None:
    """Raises ValueError for images that do not fit, before the long work."""
    faults = []
    for image in images:
        try:
            peek_image(image)
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise ValueError(" ".join(faults))
