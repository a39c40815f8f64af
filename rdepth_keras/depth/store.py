"""Estimated depth on disk, one file an image and checkpoint, so that a killed run can go on.

A file appears whole or not at all: it is written under another name and then renamed. Its name is
made from the image's pixels, the network's weights and the preprocessing; nothing can be stale.
"""

import hashlib
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from rdepth_keras.depth.normalise import StoredDepth

_PART = ".part"
_STALE_SECONDS = 3600  # an unfinished file this old belongs to a process that was killed


class DepthCache:
    """Stored depth by image, for one ``fingerprint`` of an estimator.

    Raises OSError, naming the folder and the remedy, where it cannot be written.
    """

    def __init__(self, folder: Path, fingerprint: str):
        self._folder = folder / fingerprint
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._clean()
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
        part = None
        try:
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=_PART, delete=False) as part:
                np.savez_compressed(part, values=depth.values, limits=limits)
            os.replace(part.name, self._path(key))
        except OSError as error:
            if part is not None:
                Path(part.name).unlink(missing_ok=True)
            raise self._complain(error) from error

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npz"

    def _clean(self) -> None:
        for part in self._folder.glob(f"*{_PART}"):
            if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                part.unlink(missing_ok=True)

    def _complain(self, error: OSError) -> OSError:
        return OSError(
            f"The depth cache {self._folder} cannot be written ({error.strerror or error}); free "
            "space or choose another --download_dir. What it holds is good and will be used again."
        )
