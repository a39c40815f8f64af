"""Against a server on the loopback address that breaks connections and lies."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from rdepth_keras.data.download import ARCHIVES, download

CONTENT = {
    name: np.random.default_rng(i).bytes(3_000_000 + i) for i, name in enumerate(("A.zip", "B.zip"))
}
MD5 = {name: hashlib.md5(content).hexdigest() for name, content in CONTENT.items()}


@pytest.fixture
def server():
    """``.url``; ``.break_after`` bytes, ``.breaks`` times; ``.ranges`` asked for; ``.lie``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = CONTENT.get(self.path.strip("/"))
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
    web.resumes, web.status = True, None
    web.url = f"http://127.0.0.1:{web.server_port}"
    thread = threading.Thread(target=web.serve_forever)
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


def test_the_published_archives():
    assert list(ARCHIVES) == ["Train.zip", "Val.zip", "Test.zip"]
    assert all(len(md5) == 32 for md5 in ARCHIVES.values())
