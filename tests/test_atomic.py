"""A file is there whole or as it was, whatever happens while it is written."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from rdepth_keras.atomic import check_local, remove_stale, write_bytes, write_text, writing


def test_written_and_replaced(tmp_path):
    path = tmp_path / "a.json"
    write_text(path, "é\n")
    assert path.read_bytes() == "é\n".encode()
    write_bytes(path, b"\0")
    assert path.read_bytes() == b"\0" and list(tmp_path.iterdir()) == [path]
    (tmp_path / "plain").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode  # of the umask


@pytest.mark.parametrize("place", ["s3://bucket/run", "file:///runs", "https://a.b/c.png", "gs:/b"])
def test_an_address_is_no_place_here(place):
    with pytest.raises(ValueError, match=f"{place} is an address, .* copy it there afterwards"):
        check_local(place)
    for local in ("runs/a", "/data/a:b", "C:/runs", "~/x", "a:b/c"):
        check_local(local)


@pytest.mark.parametrize("place", ["", " "])
def test_nothing_is_not_the_working_directory(place):
    """A variable that is not set in a shell leaves it."""
    with pytest.raises(ValueError, match="nothing came; is a variable of the shell unset"):
        check_local(place)


def write_half(path, error):
    with writing(path) as temporary:
        temporary.write_bytes(b"half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_changes_nothing(tmp_path, error):
    path = tmp_path / "a.bin"
    for before in (None, b"before"):
        if before is not None:
            path.write_bytes(before)
        with pytest.raises(error):
            write_half(path, error)
        assert [file.read_bytes() for file in tmp_path.iterdir()] == ([before] if before else [])


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    with pytest.raises(FileNotFoundError, match=r"/a\.bin'$"), writing(path):
        pass
    assert path.read_bytes() == b"before"


def write_beside(path, other):
    with writing(path, replace=False) as temporary:
        temporary.write_bytes(b"ours")
        if other:
            path.write_bytes(other)


def test_what_came_meanwhile_may_stay(tmp_path):
    path = tmp_path / "a.bin"
    with pytest.raises(FileExistsError, match="a.bin is there already"):
        write_beside(path, b"of another")
    assert path.read_bytes() == b"of another" and list(tmp_path.iterdir()) == [path]
    path.unlink()
    write_beside(path, None)
    assert path.read_bytes() == b"ours"


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real/a.bin", tmp_path / "a.bin"
    target.write_bytes(b"before")
    link.symlink_to("real/a.bin")
    write_bytes(link, b"after")
    assert link.is_symlink() and target.read_bytes() == b"after"
    assert list((tmp_path / "real").iterdir()) == [target]


def test_an_error_names_the_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"/nowhere/a\.bin'$"):
        write_bytes(tmp_path / "nowhere/a.bin", b"")


def test_a_kill_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from rdepth_keras.atomic import writing\n"
        "with writing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], timeout=60)
    assert done.returncode == -signal.SIGKILL and path.read_bytes() == b"before"
    (left,) = set(tmp_path.iterdir()) - {path}
    remove_stale(tmp_path)
    assert left.exists(), "it may be another process's work"
    os.utime(left, (0, 0))
    remove_stale(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_names_the_path(tmp_path):
    with pytest.raises(OSError, match=r"No space left on device: .*/a\.bin'$") as full:
        write_half(tmp_path / "a.bin", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert full.value.filename == str(tmp_path / "a.bin")
