"""TensorBoard files hold what was written, under joined names."""

import builtins

import numpy as np
import pytest

from rdepth_keras.train.board import Board, summary_writer


class Writer:
    """Notes what a summary writer is asked for."""

    def __init__(self, folder, purge_step):
        self.folder, self.purge_step, self.scalars, self.images = folder, purge_step, [], []

    def add_scalar(self, *told):
        self.scalars.append(told)

    def add_image(self, name, picture, step, dataformats):
        self.images.append((name, picture.shape, step, dataformats))

    def flush(self):
        pass


@pytest.fixture
def board(monkeypatch, tmp_path):
    monkeypatch.setattr("rdepth_keras.train.board.summary_writer", lambda: Writer)
    return Board(tmp_path / "board", done=6)


def test_numbers_under_joined_names(board):
    entries = {"loss": 0.5, "validation": {"miou": 0.25, "iou": {"road": None}}, "domain": "urban"}
    board.scalars(9, entries)
    assert board._writer.scalars == [("loss", 0.5, 9), ("validation/miou", 0.25, 9)]


def test_what_a_killed_process_wrote_beyond_its_checkpoint_is_hidden(board):
    assert board._writer.purge_step == 7 and board._writer.folder.endswith("board")


def test_pictures(board):
    board.picture(9, "urban", np.zeros((4, 12, 3), np.uint8))
    assert board._writer.images == [("urban", (4, 12, 3), 9, "HWC")]


def test_real_event_files(tmp_path):
    pytest.importorskip("tensorboardX")
    board = Board(tmp_path)
    board.scalars(1, {"loss": 0.5})
    board._writer.close()
    (file,) = tmp_path.iterdir()
    assert b"loss" in file.read_bytes()


def test_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "tensorboardX":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'rdepth_keras\[tensorboard\]'"):
        summary_writer()
