"""One training in a directory at a time.

The operating system holds the lock (``flock``) and gives it back when its process ends, however
that happens: a killed training leaves no lock behind, only the file that says whose it was.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jax

LOCK = ".lock"  # the file's name in the directory; it stays when the lock is given back


@contextmanager
def lock(directory: Path, notify: Callable[[str], None] = print) -> Iterator[None]:
    """Holds the directory, made where it is missing, as long as the block runs.

    Of several hosts that train together, only the first one locks. ``notify`` is told where the
    file system knows no locks, as some network file systems do; nothing is held then.

    Raises:
        RuntimeError: where another process holds it, naming process, host and remedy.
    """
    if jax.process_index() > 0:
        yield
        return
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RuntimeError(_refusal(directory, _read(descriptor))) from error
        except OSError as error:
            notify(f"{directory} cannot be locked ({error}): start no second training in it.")
        _write(descriptor)
        yield
    finally:
        os.close(descriptor)


def check_free(directory: Path) -> None:
    """Raises RuntimeError as :func:`lock` does; holds nothing, and makes no file.

    What takes long is not begun where another process is at work.
    """
    if jax.process_index() > 0 or not (directory / LOCK).is_file():
        return
    descriptor = os.open(directory / LOCK, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RuntimeError(_refusal(directory, _read(descriptor))) from error
    except OSError:  # the file system knows no locks: told where it is locked
        return
    finally:
        os.close(descriptor)


def _refusal(directory: Path, holder: dict) -> str:
    process, host = holder.get("process", "unknown"), holder.get("host", "unknown")
    here = host == socket.gethostname()
    stop = f"kill {process}" if here else f"on {host}: kill {process}"
    return (
        f"{directory} is in use: process {process} on host {host} trains in it since "
        f"{holder.get('since', 'an unknown time')}. Wait until it ends, stop it ({stop}; it saves "
        "first), or choose another --out."
    )


def _read(descriptor: int) -> dict:
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:  # between the lock and the writing of whose it is
        return {}
    return found if isinstance(found, dict) else {}


def _write(descriptor: int) -> None:
    holder = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)
