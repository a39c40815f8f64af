"""Files of this machine, whole or not at all: written beside their place, synced, then renamed."""

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ADDRESS = re.compile(r"[A-Za-z][\w+.-]+:/")  # one letter is a drive's
PARTIAL = ".partial"  # what the names of unfinished files end in; they begin with a dot
_STALE_SECONDS = 3600  # an unfinished file this old belongs to a process that was killed


def check_local(place: str) -> None:
    """Raises ValueError for what a path would make another place of.

    That is an address, such as s3://bucket, a folder of that name here, and nothing at all, the
    working directory.
    """
    if not place.strip():
        raise ValueError("a path is expected and nothing came; is a variable of the shell unset?")
    if _ADDRESS.match(place):
        raise ValueError(
            f"{place} is an address, and files are read and written here: name a folder of this "
            "machine, and copy it there afterwards, or mount the bucket."
        )


@contextmanager
def writing(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yields a path to write to, which becomes ``path`` when the block ends.

    After an exception ``path`` is as it was and nothing else is left. A kill can leave the
    unfinished file, see :func:`remove_stale`. Where ``path`` is a link, the file it leads to is
    replaced and the link stays. Several processes may write one path: the last one wins, or without
    ``replace`` the first.

    Raises OSError, naming ``path``, where it cannot be written, and FileExistsError where it is
    there when the block ends, though it was not to be replaced.
    """
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if not replace and target.exists():
            raise FileExistsError(f"{path} is there already, and is not replaced: choose another.")
        os.replace(temporary, target)
    except OSError as error:
        # None while writing, as on a full disk; an error without a number says all itself.
        if error.errno is not None and error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Writes a file as :func:`writing` does."""
    with writing(path, replace=replace) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file as :func:`writing` does; line ends stay as they are."""
    write_bytes(path, text.encode("utf-8"))


def remove_stale(folder: Path) -> None:
    """Deletes the unfinished files that killed processes left in a folder an hour ago or more."""
    for path in folder.glob(f".*{PARTIAL}"):
        try:
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()
        except FileNotFoundError:  # another process was faster
            continue
