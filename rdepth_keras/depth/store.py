"""Estimated depth on disk, one file an image and checkpoint, so that a killed run can go on.

A file appears whole or not at all. Its name is made from the image's pixels, the network's weights
and wiring and the preprocessing; nothing can be stale.
"""

import hashlib
from pathlib import Path

import numpy as np

from rdepth_keras.atomic import remove_stale, writing
from rdepth_keras.depth.normalise import StoredDepth


class DepthCache:
    """Stored depth by image, for one ``fingerprint`` of an estimator.

    Raises OSError, naming the folder and the remedy, where it cannot be written.
    """

    def __init__(self, folder: Path, fingerprint: str):
        self._folder = folder / fingerprint
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            remove_stale(self._folder)
        except OSError as error:
            raise self._complain(error) from error

    def key(self, image: np.ndarray) -> str:
        """The name of an image (H, W, 3) uint8 in this cache."""
        digest = hashlib.sha256(str(image.shape).encode())
        digest.update(np.ascontiguousarray(image).data)
        return digest.hexdigest()[:40]

    def get(self, key: str) -> StoredDepth | None:
        """What was stored, or None; a damaged file counts as absent and is written again."""
        try:
            with self._path(key).open("rb") as stream, np.load(stream) as file:
                values, limits = file["values"], file["limits"]
        except Exception:  # a damaged archive can raise nearly anything
            return None
        return StoredDepth(values, float(limits[0]), float(limits[1]))

    def put(self, key: str, depth: StoredDepth) -> None:
        """Stores one map; it is there afterwards, or OSError is raised and nothing changed."""
        limits = np.array([depth.minimum, depth.maximum])
        try:
            with writing(self._path(key)) as part, part.open("wb") as stream:
                np.savez_compressed(stream, values=depth.values, limits=limits)
        except OSError as error:
            raise self._complain(error) from error

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npz"

    def _complain(self, error: OSError) -> OSError:
        return OSError(
            f"The depth cache {self._folder} cannot be written ({error.strerror or error}); free "
            "space or choose another --download_dir. What it holds is good and will be used again."
        )
