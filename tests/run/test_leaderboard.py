"""A sweep's page: its table, its pictures, and what is left out said."""

import numpy as np
import pytest
from rich.console import Console

from rdepth_keras.data import png
from rdepth_keras.run import sweep
from rdepth_keras.run.directory import Run
from rdepth_keras.run.evaluation import evaluate, prepare_trial
from rdepth_keras.run.leaderboard import write_leaderboard


@pytest.fixture
def cells(copied):
    """Two finished seeds of one recipe, and a run that was never begun."""
    found = []
    for seed, directory in enumerate(copied):
        own = Run(directory)
        own.finish(evaluate(prepare_trial(own, "val"), Console(quiet=True)))
        found.append(sweep.Cell("demo", "r2u", seed, directory))
    return [*found, sweep.Cell("other", "r2u", 0, copied[0].with_name("other-r2u-seed0"))]


def test_the_page_holds_table_pictures_and_what_is_missing(cells, tmp_path):
    page = tmp_path / "board.md"
    written = write_leaderboard(cells, page, "python scripts/sweep.py --recipes demo other")
    assert written == [page, tmp_path / "board_r2u.png"]
    text = page.read_text()
    assert "--recipes demo other" in text and "board_r2u.png" in text
    assert "±" in text and "| Method |" in text, "two seeds are one row"
    mean, _ = sweep.summarise(cells)["demo r2u"]["miou"]
    assert f"{100 * mean:.2f}" in text, "the terminal's table says the same"
    assert "Not finished or not scored, so not in the tables: other-r2u-seed0." in text
    picture = png.decode((tmp_path / "board_r2u.png").read_bytes())
    assert picture.shape[2] == 3 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 10


def test_no_score_is_no_leaderboard(cells, tmp_path):
    with pytest.raises(ValueError, match="no leaderboard yet"):
        write_leaderboard(cells[2:], tmp_path / "board.md", "")
    assert not (tmp_path / "board.md").exists()
