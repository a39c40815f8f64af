"""A run scored, pictured, ablated and submitted: with random weights, on tiny demo tiles."""

import dataclasses
import io
import json
import shutil
import zipfile

import keras
import numpy as np
import pytest
from rich.console import Console

from rdepth_keras import run
from rdepth_keras.data import png
from rdepth_keras.evaluate.confusion import confusion_matrix, mean_iou
from rdepth_keras.evaluate.submission import check_submission
from rdepth_keras.experiment import Choice
from rdepth_keras.infer import Inference
from rdepth_keras.network import Network
from rdepth_keras.recipes import recipe
from rdepth_keras.run.ancestry import BEFORE
from rdepth_keras.run.benchmark import expected_submission
from rdepth_keras.run.comparison import idle_labels
from rdepth_keras.run.ending import score_the_end
from rdepth_keras.run.evaluation import NoLabels, describe, other_sizes, tracked
from rdepth_keras.run.leaderboard import draw
from rdepth_keras.run.pictures import load_picture_predictor
from rdepth_keras.run.predictor import load_ensemble, load_predictor
from rdepth_keras.run.surroundings import versions
from rdepth_keras.run.sweep import Cell

QUIET = Console(quiet=True)


def val_tiles(directory):
    return run.prepare_trial(run.Run(directory), "val").tiles


def test_scores_and_counts_of_every_tile(copied):
    directory = copied[0]
    result = run.evaluate(run.prepare_trial(run.Run(directory), "val"), QUIET)
    assert result == run.Run(directory).evaluations.read()["val_urban"]
    predictor, counts = load_predictor(run.Run(directory)), 0
    for tile in val_tiles(directory):
        counts = counts + confusion_matrix(tile["label"], predictor(tile).argmax(-1), 7)
    saved = run.Run(directory).evaluations.counts("val_urban")
    np.testing.assert_array_equal(saved.confusion, counts)
    assert result["miou"] == pytest.approx(float(mean_iou(counts)))
    assert (result["split"], result["domain"], result["direction"]) == ("val", "urban", "r2u")
    assert result["depth"] == {"source": "procedural heights"} and result["tiles"] == 3
    assert result["miou_interval"] is None, "three tiles are too few"
    assert result["trained_on_too"] == ""


def test_flat_depth_of_what_is_scored_is_told(copied):
    own = run.prepare_trial(run.Run(copied[0]), "val")
    data = dataclasses.replace(
        own.data,
        flat_depths=lambda tiles: ["a.png"],
        oddities=lambda tiles: ["twice", "foreign"],
        lacking=lambda tiles: "3 of 9 tiles",
    )
    assert not own.flat and not own.trained_on_too
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rdepth_keras.run.evaluation.open_data", lambda _: data)
        trial = run.prepare_trial(own.run, "val")
    assert trial.flat.startswith("WARNING: 1 depth map is flat")
    assert "WARNING: 3 of 9 tiles; twice; foreign" in trial.told and not own.odd
    told = dataclasses.replace(
        trial, trained_on_too="one is trained on", unlabelled="one is not", sizes="large"
    )
    result = run.evaluate(told, QUIET)
    title = run.headline(told.run, result)
    assert "; large; " in title and "; 3 of 9 tiles; twice; foreign; 1 depth map is flat" in title
    assert result["trained_on_too"] == "one is trained on" and result["unlabelled"] == "one is not"


def test_tiles_that_trained_the_runs_before_are_told(copied, noted, monkeypatch):
    """With labels, under other names; of an older run that started from another, nobody knows."""
    monkeypatch.setattr("rdepth_keras.run.evaluation.picture_marks", lambda tiles: ["0a", "0b"])
    own = run.Run(copied[0])
    experiment = own.experiment.changed(training={"start_from": "/gone"})
    cases = {"0a 0c": (1, "1 of the 3 tiles labelled"), "0c": (0, ""), None: (None, "unknown")}
    for marks, (count, told) in cases.items():
        more = {} if marks is None else {BEFORE: marks}
        noted(copied[0], experiment, seen={}, **more)
        trial = run.prepare_trial(own, "val")
        assert trial.trained_before == count
        lines = [line for line in trial.told if line.startswith("WARNING: seen of val/urban")]
        assert len(lines) == bool(told) and told in "".join(lines)
        headline = run.headline(own, run.evaluate(trial, QUIET))
        assert (f"target images seen: none; {told}" in headline) == bool(told)
    noted(copied[0], experiment, seen={"Demo urban": "labelled Val"}, **{BEFORE: "0a"})
    assert run.prepare_trial(own, "val").trained_before == 0, "its name tells it"


@pytest.mark.parametrize(("pixels", "told"), [(64, False), (90, False), (100, True), (40, True)])
def test_tiles_of_quite_another_size_are_told(tmp_path, pixels, told):
    own = run.Run(tmp_path)
    own.begin(recipe("demo"))
    own.note_environment({"tile_pixels": pixels}, 0)
    said = other_sizes(own, [{"image": np.zeros((64, 60, 3), np.uint8)}])
    assert bool(said) == told
    assert (
        not told or f"up to 64 pixels are scored, and trained was on such of up to {pixels}" in said
    )
    own.note_environment({}, 0)
    assert other_sizes(own, [{"image": np.zeros((640, 60, 3), np.uint8)}]) == ""


def test_tiles_without_labels_are_not_scored_and_that_is_told(copied):
    own = run.prepare_trial(run.Run(copied[0]), "val")
    assert own.unlabelled == ""

    class Mixed:
        labelled = False

        def __len__(self):
            return len(own.tiles) + 2

        def labelled_part(self):
            return own.tiles

    data = dataclasses.replace(own.data, tiles=lambda *_: Mixed())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rdepth_keras.run.evaluation.open_data", lambda _: data)
        trial = run.prepare_trial(own.run, "val")
    assert trial.unlabelled == "Not scored: 2 tiles of val/urban: no masks"


def test_a_log_of_a_long_evaluation_is_not_silent(copied, monkeypatch):
    said, trial = io.StringIO(), run.prepare_trial(run.Run(copied[0]), "val")
    console = Console(file=said, width=200)
    assert len(list(tracked(trial.tiles, "val urban", console))) == 3 and not said.getvalue()
    monkeypatch.setattr("rdepth_keras.run.evaluation.LINE_SECONDS", 0.0)
    assert len(list(tracked(trial.tiles, "val urban", console))) == 3
    lines = said.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f"val urban: {number} of 3 tiles" for number in (1, 2)
    ]


class Unmarked(list):
    """Tiles with masks, every pixel of which is ignored."""

    labelled = True


def test_masks_without_a_labelled_pixel_give_no_score(copied):
    """No file of scores is left, and the end of a training is its end all the same."""
    own, said = run.Run(copied[0]), io.StringIO()
    trial = run.prepare_trial(own, "val")
    tiles = Unmarked([{**tile, "label": np.full_like(tile["label"], 255)} for tile in trial.tiles])
    for attempt in (run.evaluate, run.ablate_depth):
        with pytest.raises(NoLabels, match="nothing to score against: no pixel of val/urban"):
            attempt(dataclasses.replace(trial, tiles=tiles), QUIET)
    assert not (copied[0] / "evaluations").exists() and not (copied[0] / "ablations").exists()
    data = dataclasses.replace(trial.data, tiles=lambda *_: tiles)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rdepth_keras.run.evaluation.open_data", lambda _: data)
        assert score_the_end(own, data, Console(file=said, width=200)) is None
    assert "Not evaluated: There is nothing to score" in said.getvalue()
    assert list(own.metrics) == ["not_evaluated"]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({}, ""),
        ({"sure": 0.3}, ""),
        ({"sure": 0.0}, "the teacher was sure of 0.00% of the target's pixels, which counted"),
        ({"labelled": 0.2}, ""),
        ({"labelled": 0.005}, "the rounds labelled 0.50% of the target's pixels, which counted"),
        ({"pseudo": 0.1}, ""),
        ({"pseudo_source": 0.0, "pseudo_target": 0.1}, ""),
        ({"pseudo_source": 0.0, "pseudo_target": 0.0}, "no pixel of the target was ever sure"),
        ({"pseudo": 0.0}, "no pixel of the target was ever sure enough"),
    ],
)
def test_labels_that_taught_nothing_are_told(tmp_path, entry, told):
    entry = {"step": 1, "loss": 2.0, **entry}
    (tmp_path / "journal.jsonl").write_text(json.dumps(entry) + "\n")
    found = idle_labels(run.Run(tmp_path))
    assert found.startswith(told) and bool(found) == bool(told)


def test_windows_larger_than_every_tile_are_refused(copied):
    """They would see the whole tile, and have a row of their own in tables."""
    own = run.Run(copied[0])
    (side,) = {max(tile["label"].shape) for tile in val_tiles(copied[0])}
    run.prepare_trial(own, "val", None, Inference(window_pixels=side))
    with pytest.raises(
        ValueError, match=rf"window-pixels {side + 1} has no effect.* {side} pixels"
    ):
        run.prepare_trial(own, "val", None, Inference(window_pixels=side + 1))


@pytest.mark.parametrize(("name", "told"), [("demo_cbst", True), ("demo", False)])
def test_a_journal_that_is_gone_is_told_where_the_target_was_labelled(tmp_path, name, told):
    own = run.Run(tmp_path)
    own.begin(recipe(name))
    assert ("its journal is gone" in idle_labels(own)) == told


def test_a_damaged_newest_checkpoint_is_told_with_the_scores(copied, tmp_path):
    """Evaluation of another step than the last says so, in the scores and in the title; so does a
    submission, and no picture shows it."""
    directory = copied[0]
    for name in ("checkpoints", "checkpoints-checksums"):
        real = (directory / name).resolve()
        (directory / name).unlink()
        shutil.copytree(real, directory / name)
    shutil.copytree(directory / "checkpoints/1", directory / "checkpoints/7")
    sums = {"files": {"variables/manifest.ocdbt": "0"}}
    (directory / "checkpoints-checksums/7.json").write_text(json.dumps(sums))
    trial = run.prepare_trial(run.Run(directory), "val")
    result = run.evaluate(trial, QUIET)
    (note,) = result["passed_over"]
    assert (
        result["step"] == 1 and "step 7 is damaged" in note and trial.predictor.damaged == (note,)
    )
    assert "checkpoint: last (step 1)" in run.headline(run.Run(directory), result)
    said = io.StringIO()
    run.submit(run.Run(directory), "urban", tmp_path / "a.zip", Console(file=said, width=200))
    assert "step 7 is damaged" in said.getvalue()
    with pytest.raises(ValueError, match="shown by an older checkpoint: .*step 7 is damaged"):
        draw([Cell("demo", "r2u", 0, directory)], tmp_path / "a.md")


def test_a_finished_run_without_its_last_checkpoint_says_so(copied, tmp_path):
    """Where it was cleaned up or copied in part: in scores, submissions and predictor alike."""
    own = run.Run(copied[0])
    assert load_predictor(own).damaged == (), "has not come to its end"
    own.finish({"miou": 0.5})
    end = own.experiment.training.steps
    note = f"{own} ended with step {end}, and its checkpoint is gone: step 1 counts."
    assert load_predictor(own).damaged == (note,)
    result = run.evaluate(run.prepare_trial(own, "val"), QUIET)
    assert result["passed_over"] == [note]
    assert "checkpoint: last (step 1)" in run.headline(own, result)
    said = io.StringIO()
    run.submit(own, "urban", tmp_path / "a.zip", Console(file=said, width=300))
    assert note in said.getvalue()


def test_the_last_checkpoint_is_scored_beside_the_one_that_the_targets_labels_chose(copied, noted):
    """Each under its own protocol; the end of the training is that of the chosen one."""
    directory, said = copied[0], io.StringIO()
    choice = Choice(selection="best_by_target_labels", validation_steps=1)
    experiment = run.Run(directory).experiment.changed(training={"choice": choice})
    noted(directory, experiment, depth={"source": "procedural heights"})
    for name in ("checkpoints", "checkpoints-checksums"):
        other = name.replace("checkpoints", "best")
        (directory / other).symlink_to((copied[1] / name).resolve())
    own = run.Run(directory)
    data = run.prepare_trial(own, "val").data
    assert own.metrics is None
    result = score_the_end(own, data, Console(file=said, width=200))
    found = own.evaluations.read()
    assert list(found) == ["val_urban", "val_urban-checkpoint=last"]
    assert own.metrics == result == found["val_urban"]
    best, last = found.values()
    assert (best["selection"], last["selection"]) == ("best_by_target_labels", "last")
    assert best["miou"] == run.evaluate(run.prepare_trial(run.Run(copied[1]), "val"), QUIET)["miou"]
    assert best["miou"] != last["miou"]
    assert f"mIoU {best['miou']:.2%}; the last, step 1, has {last['miou']:.2%}" in said.getvalue()
    # The checkpoint that scored best is gone, and the one before it counts: the row says so.
    scored = [{"step": step, "validation": {"miou": step / 10}} for step in (1, 2, 3)]
    lines = [json.dumps({**entry, "run": own.identity}) for entry in scored]
    (directory / "journal.jsonl").write_text("\n".join([*lines, ""]))
    told = run.evaluate(run.prepare_trial(own, "val"), QUIET)["passed_over"]
    assert told == [f"Step 3 of {own} scored best, and its checkpoint is gone: step 1 counts."]
    table = run.compare([directory], published=False, format="markdown")
    one, other = table.split("### ")[1:]
    assert "chosen by the target's labels" in one and "target Val (step 1)" in one
    assert "chosen by" not in other.partition("\n")[0] and "seed0 checkpoint=last" in other


def test_an_ensemble_is_the_mean_of_its_members(random_runs):
    runs, tile = [run.Run(place) for place in random_runs], val_tiles(random_runs[0])[0]
    one, other = (load_predictor(run.Run(directory)) for directory in random_runs)
    assert np.abs(one(tile) - other(tile)).max() > 0.01
    both = load_ensemble(runs)
    np.testing.assert_allclose(both(tile), (one(tile) + other(tile)) / 2, rtol=1e-5)
    np.testing.assert_allclose(both.probabilities(tile).sum(-1), np.ones((64, 64)), rtol=1e-5)
    inference = dataclasses.replace(one.inference, average="probabilities")
    both = load_ensemble(runs, inference)
    expected = (one.probabilities(tile) + other.probabilities(tile)) / 2
    np.testing.assert_allclose(both(tile), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(both.probabilities(tile), both(tile))


def test_an_ensemble_of_other_depth_is_refused(copied, noted):
    noted(copied[1], run.Run(copied[1]).experiment, depth={"source": "lidar"})
    with pytest.raises(ValueError, match=r"same data and protocol; .*heights.*lidar"):
        load_ensemble([run.Run(place) for place in copied])


def test_an_ensemble_holds_a_run_once(random_runs):
    one, other = random_runs
    with pytest.raises(ValueError, match="seed0 is named twice"):
        load_ensemble([run.Run(place) for place in (one, other, one.parent / "x/../seed0")])


def test_an_ensemble_of_a_run_and_its_copy_is_refused(copied, noted):
    for directory in copied:
        noted(directory, run.Run(directory).experiment, run="same")
    with pytest.raises(ValueError, match=r"seed1 is named twice: it is .*seed0, or a copy of it"):
        load_ensemble([run.Run(place) for place in copied])


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (
            {"files": {"train/rural": {"images": "1"}}},
            {"files": {"train/rural": {"images": "2"}}},
            "images of train/rural 1, .* has 2",
        ),
        (
            {"trained_on": {"train/rural": 3}},
            {"trained_on": {"train/rural": 4}},
            "tiles {'train/rural': 3}, .* has {'train/rural': 4}",
        ),
        (
            {"trained_on": {"train/rural": 3}},
            {"trained_on": {"train/rural": 3, "val/rural": 2}},
            "tiles {'train/rural': 3}, .* has {.*'val/rural': 2}",
        ),
        (
            {"files": {"train/rural": {"depths": "1"}}, "trained_on": {"train/rural": 3}},
            {"files": {"train/rural": {"images": "2"}}},
            "",
        ),
    ],
)
def test_an_ensemble_of_runs_on_other_files_is_refused(copied, noted, one, other, said):
    """Folders of one title; what either did not note is not held against it."""
    runs = [run.Run(place) for place in copied]
    for own, entries in zip(runs, (one, other), strict=True):
        noted(own.directory, own.experiment, **entries)
    if not said:
        load_ensemble(runs)
        return
    with pytest.raises(ValueError, match=f"same data and protocol; .*seed0 has the .*{said}"):
        load_ensemble(runs)


def test_what_predicts_by_other_code_than_was_trained_by_says_so(copied, noted, tmp_path):
    """Scores keep it, members too, and tables tell it; a submission and pictures tell it."""
    for place, code in zip(copied, ("0a", versions()["code"]), strict=True):
        noted(place, run.Run(place).experiment, **(versions() | {"code": code}))
    one, other = map(run.Run, copied)
    told = f"code 0a then, {versions()['code']} now"
    line = f"WARNING: not as {one} began: {told}"
    own, with_it = run.prepare_trial(one, "val"), run.prepare_trial(other, "val", members=[one])
    assert line in own.told and line in with_it.told
    result = run.evaluate(own, QUIET)
    assert result["other_versions"] == told
    assert f"scored by other versions than it was trained by: {told}" in run.compare(
        copied[:1], published=False, format="csv"
    )
    result = describe(with_it)
    assert result["other_versions"] == "" and told in result["member_notes"][0]
    said = io.StringIO()
    run.submit(other, "urban", tmp_path / "a.zip", Console(file=said, width=999), members=[one])
    assert line in said.getvalue()
    heard = []
    load_picture_predictor(one, estimates=False, notify=heard.append)
    assert line in heard


def test_members_have_seen_the_same_of_what_they_predict(copied, noted):
    for directory, seen in zip(copied, ({}, {"Demo sea": "labelled Val"}), strict=True):
        noted(directory, run.Run(directory).experiment, seen=seen)
    runs = [run.Run(place) for place in copied]
    load_ensemble(runs)
    with pytest.raises(ValueError, match="images seen of sea none, .* has labelled Val"):
        load_ensemble(runs, domain="sea")


def test_every_member_says_what_is_odd_about_it(copied, noted):
    """Its own steps, of its own number: of the first run nothing follows for another."""
    chosen = {"steps": 7, "choice": Choice("last", validation_steps=3)}
    experiment = run.Run(copied[1]).experiment.changed(training=chosen)
    noted(copied[1], experiment, depth={"source": "procedural heights"})
    trial = run.prepare_trial(run.Run(copied[0]), "val", None, None, [run.Run(copied[1])])
    steps = dataclasses.replace(trial.predictor, steps=(450, 1))
    result = describe(dataclasses.replace(trial, predictor=steps))
    (told,) = result["member_notes"]
    assert result["step"] == 450
    assert told.startswith("seed1: not trained to its end: scored at step 1 of 7; not as in the ")
    assert "training.steps: 450 -> 7" in told
    run.evaluate(trial, QUIET)
    assert told in run.compare([copied[0]], published=False, format="markdown")


@pytest.mark.parametrize("change", ["network", "average"])
def test_a_checkpoint_of_another_network_is_told_in_a_line(copied, noted, monkeypatch, change):
    """A run directory put together from two: Orbax tells of shapes alone, or of types."""
    if change == "network":
        image = keras.Input((None, None, 3), name="image")
        other = Network(
            keras.Model({"image": image}, keras.layers.Conv2D(7, 1, name="other")(image))
        )
        monkeypatch.setattr("rdepth_keras.run.predictor.inference_network", lambda _: other)
    else:
        experiment = run.Run(copied[0]).experiment.changed(
            training={"choice": Choice(average_decay=0.9)}
        )
        noted(copied[0], experiment)
    with pytest.raises(ValueError, match=r"step 1 in .*seed0 is not of the network"):
        load_predictor(run.Run(copied[0]))


def test_other_inference_is_another_file_and_row(copied):
    directory, other = copied
    own = run.Run(directory)
    inference = dataclasses.replace(own.experiment.training.inference, views="flips")
    for trial in (
        run.prepare_trial(own, "val"),
        run.prepare_trial(own, "val", None, inference),
        run.prepare_trial(own, "val", None, None, [run.Run(other)]),
    ):
        run.evaluate(trial, QUIET)
    together = dataclasses.replace(inference, views="one", window_batch=1)
    assert run.prepare_trial(own, "val", None, together).name == "val_urban", "the same numbers"
    stems = sorted(path.stem for path in (directory / "evaluations").glob("*.npz"))
    assert stems[:2] == ["val_urban", "val_urban-views=flips"] and len(stems) == 3
    assert stems[2].startswith("val_urban-with=seed1.")
    text = run.compare([directory], published=False, format="markdown")
    assert text.count("### ") == 1 and "slide 64/64, flips, logits averaged" in text
    assert "seed0 views=flips minus seed0: " in text and "with=seed1" in text


def test_the_report(copied):
    pytest.importorskip("matplotlib")
    trial = run.prepare_trial(run.Run(copied[0]), "val")
    result, page = run.write_report(trial, QUIET, exhibits=2)
    text = page.read_text(encoding="utf-8")
    assert page == copied[0] / "evaluations/val_urban.html"
    assert text.count("<article") == 2 and "2 of 3 tiles" in text
    assert f"{100 * result['miou']:.2f}" in text and "r2u, target validation" in text
    assert 'aria-label="Training"' in text and "procedural heights" in text
    assert not list(page.parent.glob("*.partial"))
    assert "<dt>step</dt><dd>1</dd>" in text and "<dt>curves</dt>" not in text
    run.evaluate(trial, QUIET)
    assert not page.exists(), "a page of other scores does not lie beside new ones"
    (copied[0] / "journal.jsonl").write_text("")
    _, page = run.write_report(trial, QUIET, exhibits=2)
    told = "<dt>curves</dt><dd>not whole: the journal ends at step 0, and step 1 is scored</dd>"
    assert told in page.read_text(encoding="utf-8")


def test_depth_is_ablated(copied):
    trial = run.prepare_trial(run.Run(copied[0]), "val")
    result = run.ablate_depth(trial, QUIET)
    path = copied[0] / "ablations/depth-val_urban.json"
    assert result == json.loads(path.read_text())
    for kind in ("zeroed", "shuffled", "noised", "luminance"):
        value, low, high = result[kind]["difference"]["miou"]
        assert value == pytest.approx(result[kind]["miou"] - result["true"]["miou"])
        assert low is None and high is None, "three tiles are too few"
    assert any(result[kind]["miou"] != result["true"]["miou"] for kind in ("zeroed", "luminance"))


def test_a_network_without_depth_has_nothing_to_ablate(copied, monkeypatch):
    trial = run.prepare_trial(run.Run(copied[0]), "val")
    predictor = dataclasses.replace(trial.predictor, input_names=("image",))
    with pytest.raises(ValueError, match="takes no depth"):
        run.ablate_depth(dataclasses.replace(trial, predictor=predictor), QUIET)


def test_a_submission(copied, tmp_path):
    """One of an unfinished run says so."""
    out, said = tmp_path / "urban.zip", io.StringIO()
    run.submit(run.Run(copied[0]), "urban", out, Console(file=said, width=200))
    assert f"WARNING: {copied[0]} has not come to its end; go on with" in said.getvalue()
    expected = expected_submission(run.Run(copied[0]), "urban")
    assert len(expected.ids) == 2 and expected.side_pixels == 64
    assert not check_submission(out, expected).faults
    predictor = load_predictor(run.Run(copied[0]))
    tile = run.prepare_trial(run.Run(copied[0]), "test", "urban").tiles[1]
    with zipfile.ZipFile(out) as archive:
        label = png.decode(archive.read(f"{tile['id']}.png"))
    np.testing.assert_array_equal(label, predictor.label(tile))
    with pytest.raises(FileExistsError, match="another --out"):
        run.submit(run.Run(copied[0]), "urban", out, QUIET)
    run.Run(copied[0]).finish({"miou": 0.5})
    said.truncate(0)
    run.submit(run.Run(copied[0]), "urban", tmp_path / "b.zip", Console(file=said, width=200))
    assert "WARNING" not in said.getvalue()


def test_a_submission_of_another_domain_says_so(copied, noted, tmp_path):
    """And is averaged of runs that have seen the same of it."""
    said = io.StringIO()
    run.submit(run.Run(copied[0]), "rural", tmp_path / "a.zip", Console(file=said, width=200))
    assert f"WARNING: {copied[0]} was trained for urban, and rural is" in said.getvalue()
    one, member = map(run.Run, copied)
    noted(copied[1], member.experiment, seen={"Demo rural": "labelled Test"})
    with pytest.raises(ValueError, match="seen.* of rural"):
        run.submit(one, "rural", tmp_path / "b.zip", QUIET, members=[member])


@pytest.mark.parametrize("other", [0, 1])
def test_a_submission_from_other_depth_is_refused(copied, noted, tmp_path, other):
    """Of the run itself and of those averaged with it."""
    one, member = map(run.Run, copied)
    noted(copied[other], run.Run(copied[other]).experiment, depth={"source": "guesses"})
    with pytest.raises(ValueError, match=rf"other depth than the run in .*seed{other} began with"):
        run.submit(one, "urban", tmp_path / "a.zip", QUIET, members=[member])
    assert not (tmp_path / "a.zip").exists()


def test_an_incomplete_test_split_is_named_before_work_starts(copied, tmp_path, monkeypatch):
    monkeypatch.setattr("rdepth_keras.run.benchmark.expected_submission", lambda *_: PARTIAL)
    with pytest.raises(ValueError, match="holds 2 of 976 tiles"):
        run.submit(run.Run(copied[0]), "rural", tmp_path / "a.zip", QUIET)
    assert not (tmp_path / "a.zip").exists()


class PARTIAL:
    ids = range(976)
