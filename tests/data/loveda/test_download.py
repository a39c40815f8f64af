"""Against a server on the loopback address that breaks connections and lies."""

import hashlib
import http.client
import ssl
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from rdepth_keras.data.loveda import download as module
from rdepth_keras.data.loveda.download import ARCHIVES, download

CONTENT = {
    name: np.random.default_rng(i).bytes(3_000_000 + i) for i, name in enumerate(("A.zip", "B.zip"))
}
MD5 = {name: hashlib.md5(content).hexdigest() for name, content in CONTENT.items()}


@pytest.fixture
def server():
    """``.url``; ``.break_after`` bytes, ``.breaks`` times; ``.ranges`` asked for; ``.lie``;
    ``.refusals``: (status, Retry-After) of the first answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = CONTENT.get(self.path.strip("/"))
            if web.refusals:
                status, retry_after = web.refusals.pop(0)
                self.send_response(status)
                if retry_after:
                    self.send_header("Retry-After", retry_after)
                self.send_header("Content-Length", "0")
                return self.end_headers()
            if content is None or web.status:
                return self.send_error(web.status or 404)
            asked = self.headers.get("Range")
            web.ranges.append(asked)
            start = int(asked.split("=")[1].rstrip("-")) if asked and web.resumes else 0
            if start >= len(content):
                return self.send_error(416)
            rest = (b"x" * len(content) if web.lie else content)[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            if web.breaks > 0:
                web.breaks -= 1
                rest = rest[: web.break_after]
            self.wfile.write(rest)

        def log_message(self, *arguments):
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.ranges, web.breaks, web.break_after, web.lie = [], 0, 700_000, False
    web.resumes, web.status, web.refusals = True, None, []
    web.url = f"http://127.0.0.1:{web.server_port}"
    thread = threading.Thread(target=web.serve_forever, args=(0.01,))
    thread.start()
    yield web
    web.shutdown()
    thread.join()
    web.server_close()


def fetch(server, folder, **options):
    options = {"archives": MD5, "attempts": 2, "wait_seconds": 0.01} | options
    download(folder, url=server.url, **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_all_archives_arrive_whole(server, tmp_path):
    seen = []
    fetch(server, tmp_path / "new", progress=lambda *now: seen.append(now))
    for name, content in CONTENT.items():
        assert (tmp_path / "new" / name).read_bytes() == content
    assert names(tmp_path / "new") == ["A.zip", "B.zip"]
    assert seen[-1] == ("B.zip", 3_000_001, 3_000_001)
    fetch(server, tmp_path / "new")
    assert len(server.ranges) == 2  # not asked for again


def test_broken_connections_are_taken_up_where_they_broke(server, tmp_path):
    server.breaks = 4
    fetch(server, tmp_path)
    assert (tmp_path / "A.zip").read_bytes() == CONTENT["A.zip"]
    assert server.ranges[:3] == [None, "bytes=700000-", "bytes=1400000-"]


def test_a_partial_file_of_an_earlier_call_is_continued(server, tmp_path):
    (tmp_path / "A.zip.part").write_bytes(CONTENT["A.zip"][:1000])
    (tmp_path / "B.zip.part").write_bytes(CONTENT["B.zip"])
    fetch(server, tmp_path)
    assert server.ranges == ["bytes=1000-", "bytes=3000001-"][: len(server.ranges)]
    assert (tmp_path / "A.zip").read_bytes() == CONTENT["A.zip"]
    assert (tmp_path / "B.zip").read_bytes() == CONTENT["B.zip"]


def test_a_server_without_ranges_begins_again(server, tmp_path):
    server.resumes = False
    (tmp_path / "A.zip.part").write_bytes(CONTENT["A.zip"][:1000])
    fetch(server, tmp_path)
    assert (tmp_path / "A.zip").read_bytes() == CONTENT["A.zip"]


def test_wrong_contents_are_not_kept(server, tmp_path):
    server.lie = True
    with pytest.raises(ValueError, match=r"A.zip is not the published archive"):
        fetch(server, tmp_path)
    assert names(tmp_path) == []


def test_a_wrong_file_under_the_name_is_not_overwritten(server, tmp_path):
    (tmp_path / "A.zip").write_bytes(b"mine")
    with pytest.raises(ValueError, match="delete it and download again"):
        fetch(server, tmp_path)
    assert (tmp_path / "A.zip").read_bytes() == b"mine"


def test_no_progress_gives_up_and_keeps_what_came(server, tmp_path):
    server.breaks, server.break_after = 99, 0
    (tmp_path / "A.zip.part").write_bytes(CONTENT["A.zip"][:1000])
    with pytest.raises(OSError, match=r"1000 bytes are kept in .*A.zip.part"):
        fetch(server, tmp_path)
    assert (tmp_path / "A.zip.part").read_bytes() == CONTENT["A.zip"][:1000]


@pytest.mark.parametrize(("status", "message"), [(404, "answers 404"), (503, "503")])
def test_answers_that_are_errors(server, tmp_path, status, message):
    server.status = status
    with pytest.raises(OSError, match=message):
        fetch(server, tmp_path)


@pytest.fixture
def waits(monkeypatch):
    """Seconds that were slept; nobody sleeps."""
    seconds = []
    monkeypatch.setattr(module.time, "sleep", seconds.append)
    return seconds


def test_a_busy_server_is_asked_again_when_it_says(server, tmp_path, waits):
    later = datetime.now(UTC) + timedelta(seconds=50)
    server.refusals = [
        *((429, "7"), (503, "100000"), (429, None), (429, "soon"), (408, "-3")),
        *((429, format_datetime(later)), (429, format_datetime(later.replace(tzinfo=None)))),
        (429, "Wed, 21 Oct 2015 07:28:00 GMT"),
    ]
    fetch(server, tmp_path, attempts=20)
    assert (tmp_path / "A.zip").read_bytes() == CONTENT["A.zip"]
    assert waits[:5] == [7, 120, 0.01, 0.01, 0.01]
    assert all(40 < seconds <= 50 for seconds in waits[5:7]) and waits[7:] == [0.01]


def test_a_server_that_stays_busy_is_named(server, tmp_path, waits):
    server.refusals = [(429, "3")] * 9
    with pytest.raises(OSError, match="429 Too Many Requests.*goes on from there"):
        fetch(server, tmp_path)
    assert waits == [3]


@pytest.mark.parametrize(
    "error", [ssl.SSLError(1, "bad record mac"), ssl.SSLEOFError(8, "EOF in violation of protocol")]
)
def test_a_broken_encryption_is_a_broken_connection(server, tmp_path, monkeypatch, error):
    read, calls = http.client.HTTPResponse.read, []

    def break_once(response, *size):
        calls.append(size)
        if len(calls) == 2:
            raise error
        return read(response, *size)

    monkeypatch.setattr(http.client.HTTPResponse, "read", break_once)
    fetch(server, tmp_path)
    assert (tmp_path / "A.zip").read_bytes() == CONTENT["A.zip"]
    assert server.ranges[:2] == [None, f"bytes={1 << 20}-"]


def test_the_published_archives():
    assert list(ARCHIVES) == ["Train.zip", "Val.zip", "Test.zip"]
    assert all(len(md5) == 32 for md5 in ARCHIVES.values())
