"""What would make a mean of one run and itself; see tests/scripts/test_sweep.py for the rest."""

import dataclasses
import shutil

import numpy as np
import pytest

from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.data.folder.dataset import Folder
from rdepth_keras.evaluate.counts import Counts
from rdepth_keras.recipes import recipe
from rdepth_keras.run import sweep
from rdepth_keras.run.sweep import check, plan, summarise


@pytest.mark.parametrize(
    "given",
    [(["a", "a"], ["r2u"], [0]), (["a"], ["r2u", "r2u"], [0]), (["a"], ["r2u"], [0, 1, 0])],
)
def test_nothing_is_trained_and_counted_twice(given, tmp_path):
    with pytest.raises(ValueError, match="named twice"):
        plan(*given, tmp_path)


def test_a_page_replaces_a_leaderboard_alone(tmp_path):
    page = tmp_path / "notes.md"
    sweep.check_page(page)
    page.write_text("# Leaderboard\n\nof before")
    sweep.check_page(page)
    page.write_text("# My notes")
    with pytest.raises(
        FileExistsError, match=r"notes\.md is no leaderboard, and would be replaced"
    ):
        sweep.check_page(page)


def test_oracles_train_on_the_target_of_every_direction(tmp_path):
    found = plan(["a", "b"], ["r2u", "u2r"], [0], tmp_path, ["a"])
    assert [(cell.recipe, cell.direction) for cell in found[4:]] == [("a", "u2u"), ("a", "r2r")]
    once = plan(["a"], ["u2u", "r2u"], [0], tmp_path, ["a"])
    assert [cell.direction for cell in once] == ["u2u", "r2u"], "what is asked for trains once"
    with pytest.raises(ValueError, match="oracle a is named twice"):
        plan(["a"], ["r2u"], [0], tmp_path, ["a", "a"])


@pytest.mark.parametrize("given", [([], ["r2u"], [0]), (["a"], [], [0]), (["a"], ["r2u"], [])])
def test_an_empty_plan_is_no_success(given, tmp_path):
    with pytest.raises(ValueError, match="nothing to train"):
        plan(*given, tmp_path)


def test_a_seed_that_is_none_starts_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"--seeds must be in 0\.\.2\^31-1; received -1"):
        plan(["a"], ["r2u"], [0, -1], tmp_path)


@pytest.mark.parametrize(
    "options",
    [["--seed", "3"], ["--steps", "2", "--seed=3"], ["--recipe", "b"], ["--print_config"]],
)
def test_what_the_sweep_decides_cannot_follow(options, tmp_path, monkeypatch):
    """Given last, it would be that of every run: one run as often as there are seeds."""
    cells = plan(["a"], ["r2u"], [0, 1], tmp_path)
    with pytest.raises(ValueError, match=r"--(seed|recipe|print-config) cannot follow --"):
        check(cells, tmp_path / "train.py", options)
    monkeypatch.setattr(sweep, "settings", lambda *_: recipe("demo"))
    check(cells, tmp_path / "train.py", ["--steps", "2", "--optimizer.learning-rate", "1"])


def test_options_that_a_recipe_refuses_are_told_before_the_first_run(tmp_path, monkeypatch):
    """Of one direction as of two, and whichever recipe it is."""

    def settings(cell, *_):
        if cell.recipe == "b":
            raise ValueError("Unrecognized options: --method.threshold")
        return recipe("demo")

    monkeypatch.setattr(sweep, "settings", settings)
    for directions in (["r2u"], ["r2u", "u2r"]):
        with pytest.raises(ValueError, match=r"options: --method\.threshold"):
            check(plan(["a", "b"], directions, [0], tmp_path), tmp_path / "train.py", [])


def test_directions_that_are_all_the_same_to_the_data_train_once(tmp_path, monkeypatch):
    """A folder's domains are named: two directions, or an oracle, would be one run's copies."""
    for data, refused in ((Folder("r2u", source_domain="A", target_domain="B"), True), (Demo(), 0)):
        asked = recipe("demo").changed(data=data)
        monkeypatch.setattr(sweep, "settings", lambda *_, asked=asked: asked)
        for directions, oracles in ((["r2u", "u2r"], []), (["r2u"], ["demo"])):
            cells = plan(["demo"], directions, [0], tmp_path, oracles)
            if refused:
                with pytest.raises(ValueError, match=r"would train A to B: .* --source-domain"):
                    check(cells, tmp_path / "train.py", [])
            else:
                check(cells, tmp_path / "train.py", [])
        check(plan(["demo"], ["r2u"], [0, 1], tmp_path), tmp_path / "train.py", [])


def test_runs_of_other_files_are_not_those_asked_for(cells, monkeypatch, tmp_path):
    """What decided their weights is refused; what they are only scored on is told."""
    asked = cells[0].run.experiment
    monkeypatch.setattr(sweep, "settings", lambda *_: asked)
    monkeypatch.setattr(sweep, "open_data", lambda _: None)
    for changed, refused in (
        ({}, 0),
        ({"val/urban": "masks of val/urban"}, 0),
        ({"train/rural": "images of train/rural"}, 1),
    ):
        monkeypatch.setattr(sweep, "changed_files", lambda *_, changed=changed: changed)
        if refused:
            with pytest.raises(ValueError, match=r"seed0 .* on other files .*: images of train/ru"):
                check(cells, tmp_path / "train.py", [])
        else:
            said = check(cells, tmp_path / "train.py", [])
            assert said == [
                f"WARNING: not the data that {cell.directory} began with: {told}"
                for cell in cells
                for told in changed.values()
            ]


def test_finished_runs_are_shown_again_without_their_data(cells, monkeypatch, tmp_path):
    asked = cells[0].run.experiment
    monkeypatch.setattr(sweep, "settings", lambda *_: asked)

    def gone(_):
        raise FileNotFoundError("there are no tiles in DIR.")

    monkeypatch.setattr(sweep, "open_data", gone)
    (said,) = check(cells, tmp_path / "train.py", [])
    assert "nobody knows whether the data are what runs began with (there are no tiles" in said
    (cells[1].directory / "metrics.json").unlink()
    with pytest.raises(FileNotFoundError, match="no tiles in DIR"):
        check(cells, tmp_path / "train.py", [])


@pytest.fixture
def cells(tmp_path):
    """Three runs of which two were scored, each as its end leaves it; the third had no labels."""
    found = plan(["demo"], ["r2u"], [0, 1, 2], tmp_path)
    for cell in found:
        experiment = recipe("demo").changed(data=Demo("r2u"), training={"seed": cell.seed})
        cell.run.begin(experiment)
        cell.run.note_environment({}, 0)
        counts = Counts((1, 2), np.stack([np.eye(7, dtype=np.int64) * 5 + cell.seed + 1] * 2))
        inference = dataclasses.asdict(experiment.training.inference)
        result = counts.all_scores(experiment.data.classes) | {
            "split": "val", "domain": "urban", "dataset": "demo scenes", "inference": inference,
        }  # fmt: skip
        if cell.seed < 2:
            cell.run.evaluations.write("val_urban", result, counts)
        cell.run.finish(result if cell.seed < 2 else {"not_evaluated": "no labels"})
    return found


def test_a_run_without_a_score_is_in_no_mean(cells):
    row = summarise(cells)["demo r2u"]
    assert row["seeds"] == 2 and row["miou"][0] == pytest.approx((6 / 18 + 7 / 31) / 2)


def test_the_mean_is_of_what_was_evaluated(cells):
    """Not of what somebody wrote, or copied, into the file that says that a run has ended."""
    before, (first, second, _) = summarise(cells), cells
    second.run.finish({**first.run.metrics, "miou": 0.9})
    assert summarise(cells) == before
    kept = second.directory / "evaluations"
    kept.rename(second.directory / "away")
    with pytest.raises(FileNotFoundError, match=r"not evaluated yet: python .* --run .*seed1"):
        summarise(cells)
    shutil.copytree(first.directory / "evaluations", kept)
    with pytest.raises(ValueError, match="of another run"):
        summarise(cells)


def test_seeds_that_were_trained_on_other_data_have_no_mean(cells):
    for cell, count in zip(cells, (3, 4, 5), strict=True):
        noted = {**cell.run.environment, "trained_on": {"train/rural": count}}
        del noted["run"], noted["settings"]
        cell.run.note_environment(noted, 0)
    with pytest.raises(ValueError, match=r"seed1, .*tiles .*3} the one, .*4} the other"):
        summarise(cells)
    assert summarise(cells[1:])["demo r2u"]["seeds"] == 1, "the third has no score"


@pytest.mark.parametrize("noted", [{"started_from": {"run": "a"}}, {"compute_dtype": "bfloat16"}])
def test_seeds_that_began_otherwise_have_no_mean(cells, noted):
    name = next(iter(noted))
    own = {**cells[0].run.environment, **noted}
    other = {**own, name: "other"}
    for cell, environment in zip(cells[:2], (own, other), strict=True):
        cell.run.note_environment({name: environment[name]}, 0)
    with pytest.raises(ValueError, match=rf"no mean of .* trained otherwise: {name[:7]}"):
        summarise(cells)


@pytest.mark.parametrize("recipe", ["demo", "another"])
@pytest.mark.parametrize("kind", ["images", "masks", "depths"])
def test_what_was_scored_on_other_tiles_is_not_put_together(cells, recipe, kind):
    """Seeds of a recipe; several recipes, too, but for the depth, which is each recipe's own."""
    for cell, told in zip(cells[:2], ("one", "other"), strict=True):
        files = {"images": "i", "masks": "m", "depths": "d", kind: told}
        counts, result = (
            cell.run.evaluations.counts("val_urban"),
            cell.run.evaluations.read()["val_urban"],
        )
        cell.run.evaluations.write("val_urban", {**result, "files": files}, counts)
    cells = [cells[0], dataclasses.replace(cells[1], recipe=recipe)]
    if recipe == "another" and kind == "depths":
        assert len(summarise(cells)) == 2
        return
    with pytest.raises(ValueError, match=f"scored on other data: {kind} .* Evaluate both again"):
        summarise(cells)


@pytest.mark.parametrize("metrics", [{"not_evaluated": "no labels"}, {}, {"miou": None}])
def test_a_score_that_is_denied_is_not_left_out(cells, metrics):
    cells[0].run.finish(metrics)
    for look in (lambda: summarise(cells), lambda: cells[0].scored):
        with pytest.raises(ValueError, match=r"seed0/metrics\.json says .* val_urban holds scores"):
            look()


def test_a_mean_needs_the_runs_own_rules(cells):
    """Evaluated otherwise since, under the same name: with other classes in the mean."""
    own = cells[0].run
    counts, result = own.evaluations.counts("val_urban"), own.evaluations.read()["val_urban"]
    scores = counts.all_scores(own.experiment.data.classes, "zero")
    own.evaluations.write("val_urban", result | scores, counts)
    with pytest.raises(ValueError, match=r"seed0 has 0 evaluations .*evaluate\.py --run"):
        summarise(cells)
