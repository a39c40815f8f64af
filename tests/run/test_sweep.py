"""What would make a mean of one run and itself; see tests/scripts/test_sweep.py for the rest."""

import json

import pytest

from rdepth_keras.run.sweep import check, plan, summarise


@pytest.mark.parametrize(
    "given",
    [(["a", "a"], ["r2u"], [0]), (["a"], ["r2u", "r2u"], [0]), (["a"], ["r2u"], [0, 1, 0])],
)
def test_nothing_is_trained_and_counted_twice(given, tmp_path):
    with pytest.raises(ValueError, match="named twice"):
        plan(*given, tmp_path)


@pytest.mark.parametrize("given", [([], ["r2u"], [0]), (["a"], [], [0]), (["a"], ["r2u"], [])])
def test_an_empty_plan_is_no_success(given, tmp_path):
    with pytest.raises(ValueError, match="nothing to train"):
        plan(*given, tmp_path)


@pytest.mark.parametrize(
    "options",
    [["--seed", "3"], ["--steps", "2", "--seed=3"], ["--recipe", "b"], ["--print_config"]],
)
def test_what_the_sweep_decides_cannot_follow(options, tmp_path):
    """Given last, it would be that of every run: one run as often as there are seeds."""
    cells = plan(["a"], ["r2u"], [0, 1], tmp_path)
    with pytest.raises(ValueError, match=r"--(seed|recipe|print-config) cannot follow --"):
        check(cells, tmp_path / "train.py", options)
    check(cells, tmp_path / "train.py", ["--steps", "2", "--optimizer.learning-rate", "1"])


def test_a_run_without_a_score_is_in_no_mean(tmp_path):
    cells = plan(["a"], ["r2u"], [0, 1], tmp_path)
    for cell, miou in zip(cells, (0.5, None), strict=True):
        cell.directory.mkdir()
        (cell.directory / "metrics.json").write_text(json.dumps({"miou": miou, "iou": {}}))
    assert summarise(cells)["a r2u"]["seeds"] == 1
