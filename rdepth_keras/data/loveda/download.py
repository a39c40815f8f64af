"""The published archives of LoveDA, fetched with resume and checked by their md5."""

import hashlib
import http.client
import os
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path

LICENCE = "CC BY-NC-SA 4.0, for academic use only"
URL = "https://zenodo.org/records/5706578/files"
ARCHIVES = {  # name: md5, as published in the Zenodo record
    "Train.zip": "de2b196043ed9b4af1690b3f9a7d558f",
    "Val.zip": "84cae2577468ff0b5386758bb386d31d",
    "Test.zip": "a489be0090465e01fb067795d24e6b47",
}
BLOCK = 1 << 20  # bytes
LONGEST_WAIT = 120.0  # seconds, whatever the server asks for
_PASSING = (408, 429)  # answers below 500 that are another one later: timeout, too many requests
_BROKEN = (
    urllib.error.URLError,
    http.client.HTTPException,
    ssl.SSLError,
    ConnectionError,
    TimeoutError,
)
Progress = Callable[[str, int, int], None]  # name, bytes so far, bytes in all (0: unknown)


def download(
    folder: Path,
    *,
    url: str = URL,
    archives: Mapping[str, str] = ARCHIVES,
    attempts: int = 5,
    wait_seconds: float = 2.0,
    progress: Progress = lambda name, done, total: None,
) -> None:
    """Fetches what is missing in ``folder``; a file appears under its name only when it is right.

    A broken connection is taken up again where it broke, ``attempts`` times without progress, and
    a busy server is asked again when it says, two minutes later at most.
    Raises OSError when the server cannot be reached or the disk is full, ValueError for contents
    that are not the published ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, md5 in archives.items():
        target, part = folder / name, folder / f"{name}.part"
        if target.exists():
            if _md5(target) != md5:
                raise ValueError(
                    f"{target} is not the published archive (its md5 is not {md5}); delete it "
                    "and download again."
                )
            continue
        _fetch(
            f"{url}/{name}", part, attempts, wait_seconds, lambda *n, name=name: progress(name, *n)
        )
        if _md5(part) != md5:
            part.unlink()
            raise ValueError(
                f"{url}/{name} is not the published archive (its md5 is not {md5}); nothing was "
                "kept. Try again, or download it by hand."
            )
        os.replace(part, target)


def _fetch(url: str, part: Path, attempts: int, wait_seconds: float, progress) -> None:
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            return _continue(url, part, progress)
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in _PASSING:
                raise OSError(f"{url}: the server answers {error.code} {error.reason}.") from error
            reason: object = f"{error.code} {error.reason}"
            wait = max(wait_seconds, _retry_after(error.headers))
        except _BROKEN as error:
            reason, wait = getattr(error, "reason", None) or error, wait_seconds
        after = part.stat().st_size if part.exists() else 0
        failures = 0 if after > before else failures + 1
        if failures >= attempts:
            raise OSError(
                f"{url} cannot be fetched ({reason}); {after} bytes are kept in {part} and the "
                "next call goes on from there."
            )
        time.sleep(wait)


def _retry_after(headers: Message) -> float:
    """Seconds the server asks to wait, from a number or a date; 0 where it asks nothing."""
    asked = headers.get("Retry-After", "0")
    try:
        seconds = float(asked) if asked.isdigit() else _seconds_until(parsedate_to_datetime(asked))
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _seconds_until(moment: datetime) -> float:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()


def _continue(url: str, part: Path, progress) -> None:
    """One connection: the rest of the file, or an error with what came kept."""
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing beyond what is here
            return
        raise
    with response:
        resumed = response.status == 206
        total = int(response.headers.get("Content-Length") or 0) + (start if resumed else 0)
        done = start if resumed else 0
        _require_space(part, total - done)
        with part.open("ab" if resumed else "wb") as file:
            while block := response.read(BLOCK):
                file.write(block)
                done += len(block)
                progress(done, total)
    if done < total:
        raise ConnectionError(f"the connection broke after {done} of {total} bytes")


def _require_space(part: Path, wanted: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if wanted > free:
        raise OSError(
            f"{part.parent} has {free >> 20} MiB free, the rest of {part.stem} needs "
            f"{wanted >> 20} MiB."
        )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
