"""A sweep's page: its table, its pictures, and what is left out said."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from rdepth_keras.data import png
from rdepth_keras.evaluate.tables import NOTHING
from rdepth_keras.experiment import Choice
from rdepth_keras.labels import LOVEDA
from rdepth_keras.recipes import recipe
from rdepth_keras.run import leaderboard, sweep
from rdepth_keras.run.directory import Run
from rdepth_keras.run.evaluation import evaluate, prepare_trial
from rdepth_keras.run.leaderboard import overview, write_leaderboard


@pytest.fixture
def bare(monkeypatch):
    """Nothing is behind a cell but what :func:`scored` says."""
    monkeypatch.setattr(leaderboard, "target_seen", lambda run: "told")
    monkeypatch.setattr(leaderboard, "check_means", lambda cells: None)


@pytest.fixture
def cells(copied, noted):
    """Two finished seeds of one recipe, and a run that was never begun."""
    found = []
    for seed, directory in enumerate(copied):
        own = Run(directory)
        ended = own.experiment.changed(training={"steps": 1})
        noted(directory, ended, depth=own.environment["depth"])
        own.finish(evaluate(prepare_trial(own, "val"), Console(quiet=True)))
        found.append(sweep.Cell("demo", "r2u", seed, directory))
    return [*found, sweep.Cell("other", "r2u", 0, copied[0].with_name("other-r2u-seed0"))]


def test_the_page_holds_table_pictures_and_what_is_missing(cells, tmp_path):
    page = tmp_path / "board.md"
    written = write_leaderboard(cells, page, "python scripts/sweep.py --recipes demo other")
    assert written == [page, tmp_path / "board_urban.png"]
    text = page.read_text()
    assert "--recipes demo other" in text and "board_urban.png" in text
    assert "±" in text and "| Method |" in text, "two seeds are one row"
    mean, _ = sweep.summarise(cells)["demo r2u"]["miou"]
    assert f"{100 * mean:.2f}" in text, "the terminal's table says the same"
    assert "Not finished or not scored, so not in the tables: other-r2u-seed0." in text
    picture = png.decode((tmp_path / "board_urban.png").read_bytes())
    assert picture.shape[2] == 3 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 10


def test_seeds_without_a_mean_make_no_page(cells, noted, tmp_path):
    one, other, _ = cells
    noted(other.directory, other.run.experiment, depth={"source": "lidar"})
    with pytest.raises(ValueError, match=r"no mean of .*seed0 and .*seed1, .*: depth .*lidar"):
        write_leaderboard([one, other], tmp_path / "board.md", "")
    assert not list(tmp_path.glob("board*"))


def test_the_page_tells_of_several_versions(cells, noted, tmp_path):
    for cell, jax in zip(cells, ("1.0", "2.0"), strict=False):
        depth = cell.run.environment["depth"]
        noted(cell.directory, cell.run.experiment, depth=depth, jax=jax)
    write_leaderboard(cells, tmp_path / "board.md", "")
    text = (tmp_path / "board.md").read_text()
    assert "The runs were trained by several versions: jax 1.0, 2.0." in text


def test_every_recipe_sees_its_own_tiles(monkeypatch, tmp_path):
    """An image-only one is opened without depth: no other must be shown, or predict, by that."""
    shown, label = {}, np.zeros((8, 8), np.uint8)

    def trial(run, split):
        depth = np.full((8, 8, 1), run.reads_depth, np.float32)
        tiles = [{"id": 1, "image": label[..., None].repeat(3, 2), "depth": depth, "label": label}]
        predictor = SimpleNamespace(damaged=(), label=lambda tile: label + int(tile["depth"].max()))
        network = SimpleNamespace(reads_depth=run.reads_depth)
        return SimpleNamespace(
            **{"predictor": predictor, "tiles": tiles, "table": LOVEDA, "changed": run.changed},
            **{"split": split, "domain": "B", "experiment": SimpleNamespace(network=network)},
        )

    def drawn(tiles, predictions, *_):
        shown.update(depth=tiles[0]["depth"].max(), **predictions)
        return np.zeros((2, 2, 3), np.uint8)

    monkeypatch.setattr(leaderboard, "prepare_trial", trial)
    monkeypatch.setattr(leaderboard, "draw_examples", drawn)
    home = SimpleNamespace(is_in_domain=False)
    runs = {
        name: SimpleNamespace(experiment=home, reads_depth=deep, changed=changed)
        for name, deep, changed in (("a", 0, ()), ("deep", 1, ("masks of val/B",)), ("z", 0, ()))
    }
    cells = [sweep.Cell(name, "r2u", 0, tmp_path) for name in runs]
    monkeypatch.setattr(sweep.Cell, "run", property(lambda cell: runs[cell.recipe]))
    picture, told = leaderboard.draw(cells, tmp_path / "board.md")
    assert picture.exists() and shown["depth"] == 1
    assert [shown[name][0].max() for name in runs] == [0, 1, 0]
    assert told == " The data have changed since deep began: masks of val/B."


def test_the_overview_compares_what_shares_its_encoders(bare):
    """The source alone first, then by score, what saw the target's labels last."""
    cells = [
        scored("demo_rdepth_daformer", "r2u", 0.31),
        scored("demo_rdepth_style", "r2u", 0.33),
        scored("demo_rdepth_b_s", "u2u", 0.7),
        *(scored("demo_rdepth_b_s", direction, score) for direction, score in TWICE),
        scored("demo_segformer", "r2u", 0.2),
    ]
    *_, first, _, base, style, daformer, oracle, other = overview(cells).splitlines()
    assert first == "| encoders | recipe | type | target seen | urban | rural |"
    depth = "| speck + speck on depth |"
    assert base == f"{depth} demo_rdepth_b_s | supervised | told | 30.00 ± 1.41 | 40.00 |"
    assert style == f"{depth} demo_rdepth_style | ours | told | 33.00 (+3.00) | {NOTHING} |"
    assert daformer == f"{depth} demo_rdepth_daformer | ours | told | 31.00 (+1.00) | {NOTHING} |"
    assert oracle == f"{depth} demo_rdepth_b_s | oracle | told | 70.00 (+40.00) | {NOTHING} |"
    assert other == f"| mit | demo_segformer | supervised | told | 20.00 | {NOTHING} |"


def test_what_is_predicted_otherwise_has_no_gain(bare):
    """Eight views add points that no method has earned."""
    cells = [
        scored("demo_rdepth_b_s", "r2u", 0.3),
        scored("demo_rdepth_style", "r2u", 0.33, "flips"),
        scored("demo_rdepth_daformer", "r2u", 0.31),
    ]
    first, _, base, style, daformer = overview(cells).splitlines()[-5:]
    assert first == "| encoders | recipe | type | target seen | inference | urban |"
    assert ", flips" in style and style.endswith("| 33.00 |")
    assert ", flips" not in base + daformer and daformer.endswith("| 31.00 (+1.00) |")
    cells += [scored("demo_rdepth_b_s", "u2r", 0.4), scored("demo_rdepth_style", "u2r", 0.5)]
    _, _, _, style, _ = overview(cells).splitlines()[-5:]
    assert style.endswith("| 33.00 | 50.00 (+10.00) |"), "each domain has its own"


def test_the_overview_says_where_target_labels_chose(bare):
    cell = scored("demo_segformer", "r2u", 0.2)
    assert "no adaptation result" not in overview([cell])
    training = {"choice": Choice(validation_steps=9, selection="best_by_target_labels")}
    cell.run.experiment = cell.run.experiment.changed(training=training)
    assert "no adaptation result" in overview([cell])


TWICE = [("r2u", 0.29), ("r2u", 0.31), ("u2r", 0.4)]


def scored(name, direction, score, views="one"):
    """A run of a sweep, as far as the overview looks at it."""
    experiment = recipe(name, direction)
    inference = dataclasses.asdict(dataclasses.replace(experiment.training.inference, views=views))
    metrics = {"domain": experiment.data.target, "miou": score, "inference": inference}
    run = SimpleNamespace(experiment=experiment)
    return SimpleNamespace(recipe=name, run=run, metrics=metrics)


def test_no_score_is_no_leaderboard(cells, tmp_path):
    with pytest.raises(ValueError, match="no leaderboard yet"):
        write_leaderboard(cells[2:], tmp_path / "board.md", "")
    assert not (tmp_path / "board.md").exists()
