"""One training in a directory: held against other processes, given back with the process."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys

import pytest

from rdepth_keras.train.lock import LOCK, check_free, lock

HOLD = """
import sys, pathlib, time
sys.path.insert(0, sys.argv[2])
from rdepth_keras.train.lock import lock
with lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path, request):
    """Another process that holds the directory."""
    command = [sys.executable, "-c", HOLD, str(tmp_path), str(request.config.rootpath)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_training_is_refused_and_told_whose_the_directory_is(tmp_path, holder):
    said = rf"process {holder.pid} on host {socket.gethostname()} .*\(kill {holder.pid}; it saves"
    with pytest.raises(RuntimeError, match=said), lock(tmp_path):
        pytest.fail("it is held")


def test_it_is_seen_without_being_taken(tmp_path, holder):
    with pytest.raises(RuntimeError, match=rf"is in use: process {holder.pid} on host"):
        check_free(tmp_path)
    holder.kill()
    holder.wait()
    check_free(tmp_path)
    check_free(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with lock(tmp_path):
        pass


def test_a_killed_training_leaves_no_lock(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert (tmp_path / LOCK).exists()
    with lock(tmp_path):
        pass


def test_it_is_given_back_after_a_failure_too(tmp_path):
    with pytest.raises(KeyboardInterrupt), lock(tmp_path):
        raise KeyboardInterrupt
    with lock(tmp_path), pytest.raises(RuntimeError, match="in use"), lock(tmp_path):
        pytest.fail("it is held by this very process")
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def test_a_holder_on_another_host(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: "node7")
        held = lock(tmp_path)
        held.__enter__()
    with pytest.raises(RuntimeError, match=r"\(on node7: kill \d+"), lock(tmp_path):
        pytest.fail("it is held")
    held.__exit__(None, None, None)


@pytest.mark.parametrize("text", ["", "{", "[]", "7"])
def test_a_holder_who_does_not_say_who_it_is(tmp_path, text):
    with lock(tmp_path):
        (tmp_path / LOCK).write_text(text)
        with pytest.raises(RuntimeError, match="process unknown on host unknown"):
            lock(tmp_path).__enter__()


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    told = []
    with lock(tmp_path, told.append):
        assert len(told) == 1 and "No locks available" in told[0]


def test_further_hosts_of_one_training_do_not_lock(tmp_path, holder, monkeypatch):
    monkeypatch.setattr("jax.process_index", lambda: 1)
    with lock(tmp_path):
        pass
