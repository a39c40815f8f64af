"""Depth maps for a folder of one's own tiles."""

from collections.abc import Callable
from pathlib import Path

from rdepth_keras.data.folder.files import decode_image
from rdepth_keras.data.folder.folder import image_files
from rdepth_keras.depth.normalise import quantise
from rdepth_keras.depth.presets import PRESETS
from rdepth_keras.predict.picture import write_png

Tell = Callable[[int, int], None]  # maps done, maps in all


def write_depths(root: Path, source: str, notify: Callable[[str], None], tell: Tell) -> int:
    """Writes ``<split>/<domain>/depths/NAME.png`` for every image that has none; returns how many.

    The maps are 16-bit, stretched from each one's own minimum and maximum, larger = nearer. Killed,
    it goes on where it stopped; maps that are there are left alone.

    Args:
        root: of the folder, see :func:`rdepth_keras.data.folder.folder.open_folder`.
        source: a name in ``rdepth_keras.depth.presets.PRESETS``, or a checkpoint of Depth Anything
            in Hugging Face layout: a hub name or a folder.
        notify: hears by what depth is estimated, and under what licence.
        tell: hears of each map.

    Raises:
        FileNotFoundError: where there are no tiles, or no checkpoint.
        ValueError: for an image that cannot be read, naming it.
        ImportError: where the estimator is not installed, naming the remedy.
    """
    places = {
        image: image.parents[1] / "depths" / f"{image.stem}.png" for image in image_files(root)
    }
    wanted = {image: place for image, place in places.items() if not place.exists()}
    if not wanted:
        return 0
    # Imported here: the estimator needs KerasHub, which the base install does not have.
    from rdepth_keras.depth.estimator import load_estimator

    preset = PRESETS.get(source)
    notify(f"depth by {preset.title}, {preset.licence}" if preset else f"depth by {source}")
    estimator = load_estimator(preset.origin if preset else source)
    for done, (image, place) in enumerate(wanted.items(), 1):
        place.parent.mkdir(exist_ok=True)
        write_png(place, quantise(estimator(decode_image(image))).values)
        tell(done, len(wanted))
    return len(wanted)
