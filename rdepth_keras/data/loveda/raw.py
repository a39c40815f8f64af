"""A tile's files, read and checked: size, kind and mask values. Errors name file and remedy."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from rdepth_keras.data import png
from rdepth_keras.data.loveda.tree import Source, TileFiles
from rdepth_keras.depth.normalise import is_flat
from rdepth_keras.labels import LOVEDA


@dataclass(frozen=True)
class TileFacts:
    """What a look at one tile's files gave, for statistics and for checks against the census.

    ``pixels_per_value`` counts the mask values 0..7; it is None for an unlabelled tile.
    ``flat_depth`` says that its ready-made depth map holds few values, or only one;
    ``depth_digest`` tells it from other maps, and is empty where there is none.
    """

    id: int
    height: int
    width: int
    channel_mean: tuple[float, ...]
    pixels_per_value: tuple[int, ...] | None
    flat_depth: bool = False
    depth_digest: str = ""


def read_image(tile: TileFiles) -> np.ndarray:
    """(H, W, 3) uint8 RGB."""
    image = _decode(tile.image)
    if image.ndim != 3 or image.dtype != np.uint8:
        raise ValueError(f"{tile.image}: an image must be 8-bit RGB; this one is {_name(image)}.")
    return image


def read_mask(tile: TileFiles, size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8 stored mask values, checked against the class table; 0 when unlabelled."""
    if tile.mask is None:
        return np.zeros(size, np.uint8)
    mask = _decode(tile.mask)
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(f"{tile.mask}: a mask must be 8-bit grey; this one is {_name(mask)}.")
    _check_size(tile.mask, mask, size)
    try:
        LOVEDA.encode(mask)
    except ValueError as error:
        raise ValueError(f"{tile.mask}: {error}") from error
    return mask


def read_depth(tile: TileFiles, size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8 or uint16 ready-made depth; three equal channels count as grey."""
    assert tile.depth is not None
    depth = _decode(tile.depth)
    if depth.ndim == 3 and (depth == depth[..., :1]).all():
        depth = depth[..., 0]
    if depth.ndim != 2:
        raise ValueError(
            f"{tile.depth}: a depth map must be 8- or 16-bit grey; this one is in colour."
        )
    _check_size(tile.depth, depth, size)
    return depth


def _decode(source: Source) -> np.ndarray:
    try:
        return png.decode(source.read())
    except ValueError as error:
        raise ValueError(f"{source}: {error}; replace the file.") from error


def _name(pixels: np.ndarray) -> str:
    return f"{8 * pixels.itemsize}-bit {'grey' if pixels.ndim == 2 else 'RGB'}"


def _check_size(source: Source, pixels: np.ndarray, size: tuple[int, int]) -> None:
    if pixels.shape != size:
        raise ValueError(
            f"{source}: {pixels.shape[0]}x{pixels.shape[1]} pixels, but its image has "
            f"{size[0]}x{size[1]}; replace the file."
        )


def inspect(tile: TileFiles) -> TileFacts:
    """Reads every file of a tile and checks it; raises ValueError naming file and remedy."""
    image = read_image(tile)
    mask = read_mask(tile, image.shape[:2])
    depth = None if tile.depth is None else read_depth(tile, image.shape[:2])
    digest = "" if depth is None else blake2b(depth.tobytes(), digest_size=16).hexdigest()
    counts = None
    if tile.mask is not None:
        counts = tuple(np.bincount(mask.ravel(), minlength=len(LOVEDA) + 1).tolist())
    mean = tuple(float(value) for value in image.mean((0, 1), dtype=np.float64))
    height, width = image.shape[:2]
    flat = depth is not None and is_flat(depth)
    return TileFacts(tile.id, height, width, mean, counts, flat, digest)


def inspect_all(tiles: Iterable[TileFiles], workers: int = 8) -> Iterator[TileFacts]:
    """Yields the facts of each tile in order; decoding releases the interpreter lock.

    Raises ValueError after the last one, naming every bad file.
    """
    faults = []
    pool = ThreadPoolExecutor(workers)
    try:
        for found in pool.map(_try, tiles):
            if isinstance(found, TileFacts):
                yield found
            else:
                faults.append(str(found))
    finally:
        pool.shutdown(cancel_futures=True)
    if faults:
        raise ValueError(" ".join(faults))


def _try(tile: TileFiles) -> TileFacts | Exception:
    try:
        return inspect(tile)
    except (ValueError, OSError) as error:
        return error
