"""Files told from others of the same names, without reading all of them."""

import zlib
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path


def digest(lines: Iterable[str]) -> str:
    """16 hex digits that depend on every line."""
    return blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()


def describe(path: Path, start_bytes: int, end_bytes: int) -> str:
    """A line that depends on a file's name, its size, and so many bytes at its start and end."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        start = file.read(start_bytes)
        file.seek(max(0, size - end_bytes))
        return f"{path.name} {size} {zlib.crc32(start)} {zlib.crc32(file.read())}"
