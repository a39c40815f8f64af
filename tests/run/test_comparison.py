"""Rows out of run directories: protocols, seeds, paired differences. Nothing is predicted."""

import csv
import dataclasses
import io
import json
import shutil

import numpy as np
import pytest

from rdepth_keras.adapt import CBST
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.data.folder.dataset import Folder
from rdepth_keras.data.loveda.dataset import LoveDA
from rdepth_keras.evaluate.counts import Counts
from rdepth_keras.experiment import Choice, Economy, to_json
from rdepth_keras.labels import ClassTable
from rdepth_keras.recipes import recipe
from rdepth_keras.recipes.deviation import deviation
from rdepth_keras.run.comparison import _tiles, compare, describe_inference, headline
from rdepth_keras.run.directory import Run


def make(directory, seed=0, right=5, ids=(1, 2, 3), domain="urban", resources=None, **changes):
    """A run directory with one evaluation; ``right`` of 10 pixels are right in each class."""
    data = changes.pop("data", Demo("r2u"))
    experiment = recipe("demo").changed(
        data=data, training={"seed": seed, **changes}, resources=resources or {}
    )
    (directory / "evaluations").mkdir(parents=True)
    (directory / "experiment.json").write_text(to_json(experiment))
    size = len(data.classes)
    confusion = np.eye(size, dtype=np.int64) * (7 * right - 10) + 10 - right
    counts = Counts(tuple(ids), np.stack([confusion + number for number in range(len(ids))]))
    counts.save(directory / "evaluations" / f"val_{domain}.npz")
    result = counts.all_scores(data.classes) | {
        "split": "val", "domain": domain, "direction": "r2u", "recipe": "demo",
        "inference": dataclasses.asdict(experiment.training.inference),
        "dataset": data.title(experiment.resources.data_dir), "depth": {"source": "heights"},
    }  # fmt: skip
    (directory / "evaluations" / f"val_{domain}.json").write_text(json.dumps(result))
    return directory


def table(directories, published=False):
    text = compare(directories, published=published, format="csv")
    return list(csv.DictReader(io.StringIO(text)))


def test_one_row_with_its_tags(tmp_path):
    (line,) = table([make(tmp_path / "a", ids=range(8))])
    protocol = "r2u, target validation (demo scenes urban, 8 tiles, target images seen: none)"
    assert line["protocol"] == protocol
    assert line["method"] == "a" and line["seeds"] == "0" and line["depth"] == "heights"
    assert line["checkpoint"] == "last" and line["target_seen"] == "none"
    assert float(line["low"]) <= float(line["miou"]) <= float(line["high"])


@pytest.mark.parametrize("tiles", [1, 7])
def test_a_few_tiles_have_no_interval(tmp_path, tiles):
    ids = range(tiles)
    runs = [make(tmp_path / "a", ids=ids), make(tmp_path / "b", right=6, ids=ids, steps=90)]
    lines = table(runs)
    assert [line["low"] for line in lines] == ["", ""]
    text = compare(runs, published=False, format="markdown")
    assert "95% interval unknown (it takes at least 8 tiles)" in text and "nan" not in text


def test_seeds_become_one_row(tmp_path):
    runs = [make(tmp_path / f"run{seed}", seed, right) for seed, right in enumerate((6, 7, 9))]
    alone = [float(table([one])[0]["miou"]) for one in runs]
    (line,) = table(runs)
    assert line["method"] == "demo (3 seeds)" and line["seeds"] == "0, 1, 2"
    assert float(line["miou"]) == pytest.approx(np.mean(alone), abs=0.01)
    assert float(line["miou_spread"]) == pytest.approx(np.std(alone, ddof=1), abs=0.01)
    with pytest.raises(ValueError, match="same seed"):
        table([runs[0], make(tmp_path / "again", 0)])


def test_what_changes_no_number_makes_no_other_row(tmp_path):
    """Two seeds, one of them resumed with other workers, in another folder, in parts."""
    other = {"data_dir": "/elsewhere", "economy": Economy("cache", 7, 2, True)}
    runs = [make(tmp_path / "a", 0, 6), make(tmp_path / "b", 1, 7, resources=other)]
    (line,) = table(runs)
    assert line["method"] == "demo (2 seeds)" and not line["note"]


def test_runs_of_several_versions_are_told(tmp_path, noted):
    """Of a row's seeds, and of a run that went on with another version or in another precision."""
    runs = [make(tmp_path / str(seed), seed) for seed in range(2)]
    for place, jax in zip(runs, ("1.0", "2.0"), strict=True):
        noted(place, Run(place).experiment, jax=jax, keras="3", git_revision=None)
    (line,) = table(runs)
    assert line["note"] == "trained by several versions: jax 1.0, 2.0"
    (line,) = table(runs[:1])
    assert not line["note"]
    for place, code in zip(runs, ("0a", "0b"), strict=True):
        noted(place, Run(place).experiment, git_revision="1f+changes", code=code)
    (line,) = table(runs)
    assert line["note"] == "trained by several versions: code 0a, 0b"
    for dtype, told in (("float32", ""), ("bfloat16", "compute_dtype float32, bfloat16")):
        went_on = {"step": 3, "jax": "1.0", "compute_dtype": dtype}
        began = {"jax": "1.0", "compute_dtype": "float32"}
        noted(runs[0], Run(runs[0]).experiment, **began, resumed=[went_on])
        (line,) = table(runs[:1])
        assert line["note"] == (told and f"trained by several versions: {told}")


def test_what_a_run_was_not_trained_on_or_by_is_noted(tmp_path, noted):
    whole, part, idle = (
        make(tmp_path / name, steps=steps) for name, steps in zip("abc", (7, 8, 9), strict=True)
    )
    noted(part, Run(part).experiment, lacks=["PARTIAL: train has 2 of 9 tiles"])
    (idle / "journal.jsonl").write_text('{"step": 1, "loss": 2.0, "labelled": 0.0}\n')
    notes = {line["method"]: line["note"] for line in table([whole, part, idle])}
    assert "PARTIAL: train has 2 of 9 tiles" in notes["b"]
    assert "the rounds labelled 0.00% of the target's pixels" in notes["c"]
    assert "PARTIAL" not in notes["a"] and "labelled" not in notes["a"]


def test_an_average_that_is_still_the_beginning_is_noted(tmp_path):
    settled, early = (
        make(tmp_path / name, choice=Choice(average_decay=decay))
        for name, decay in (("settled", 0.9), ("early", 0.999))
    )
    notes = {line["method"]: line["note"] for line in table([settled, early])}
    assert "of the averaged weights 64% is what training began with" in notes["early"]
    assert "began with" not in notes["settled"]


def test_other_settings_are_another_row_and_best_comes_first(tmp_path):
    slow = make(tmp_path / "slow", right=6, ids=range(9))
    fast = make(tmp_path / "fast", right=8, ids=range(9), steps=7)
    assert [line["method"] for line in table([slow, fast])] == ["fast", "slow"]
    text = compare([slow, fast], published=False, format="markdown")
    assert "- fast minus slow: +" in text and "bootstrap over 9 tiles" in text
    assert "slow minus" not in text


def test_what_is_not_as_in_the_recipe_is_noted(tmp_path):
    runs = [make(tmp_path / "plain"), make(tmp_path / "short", steps=7)]
    text = compare(runs, published=False, format="markdown")
    assert text.count("not as in the recipe demo") == 1 and "training.steps: 450 -> 7" in text


def test_what_the_runs_before_had_seen_of_the_target_is_another_protocol(tmp_path):
    """Two of a chain, adapted to the target's images and trained on its labels; none is noted."""
    first = make(tmp_path / "first", data=Demo("u2r"), domain="rural")
    second = make(tmp_path / "second", start_from=str(first))
    experiment = Run(second).experiment.changed(method=CBST(), training={"start_from": str(first)})
    (second / "experiment.json").write_text(to_json(experiment))
    runs = [make(tmp_path / "plain"), make(tmp_path / "third", right=8, start_from=str(second))]
    plain, third = table(runs)
    assert plain["target_seen"] == "none" and plain["protocol"] != third["protocol"]
    assert third["target_seen"] == "labelled Train, labelled Val"
    assert "target images seen: labelled Train, labelled Val)" in third["protocol"]
    assert " minus " not in compare(runs, published=False, format="markdown")
    shutil.rmtree(first)
    assert table(runs)[1]["target_seen"] == "Train, unknown"
    shutil.rmtree(second)
    assert table(runs)[1]["target_seen"] == "unknown"


def test_a_domain_is_called_what_it_is_to_the_run(tmp_path):
    """Whatever else is scored than the target: an oracle elsewhere, a third domain, the source."""
    home = [make(tmp_path / name, data=Demo("r2r"), domain=name) for name in ("rural", "urban")]
    assert [line["protocol"] for line in table(home)] == [
        "r2r, in-domain validation (demo scenes rural, 3 tiles, in-domain images seen: labelled "
        "Train)",
        "r2r, other-domain validation (demo scenes urban, 3 tiles, other-domain images seen: none)",
    ]
    two = ClassTable(("a", "b"), (0, 1), ((0, 0, 0), (1, 1, 1)))
    before = make(tmp_path / "before", data=Folder("r2u", two, "C", "A"), domain="A")
    away = make(
        tmp_path / "away", data=Folder("r2u", two, "A", "B"), domain="C", start_from=str(before)
    )
    (line,) = table([away])
    assert "A to B, other-domain validation (a folder C" in line["protocol"]
    assert "images seen: labelled Train, labelled Val)" in line["protocol"]
    assert line["target_seen"] == "none"
    path = away / "evaluations/val_C.json"
    assert "; target seen: none; " in headline(Run(away), json.loads(path.read_text()))


def test_a_headline_tells_what_is_noted(tmp_path):
    run = make(tmp_path / "a", steps=7)
    result = json.loads((run / "evaluations/val_urban.json").read_text())
    told = headline(Run(run), result)
    assert told.endswith("; not as in the recipe demo: training.steps: 450 -> 7")


def test_a_headline_tells_the_protocol(tmp_path):
    run = make(tmp_path / "a")
    result = json.loads((run / "evaluations/val_urban.json").read_text())
    assert headline(Run(run), result) == (
        "r2u, target validation (demo scenes urban, 3 tiles, target images seen: none); inference: "
        "slide 256/256, logits averaged; checkpoint: last; depth: heights; seeds: 0"
    )


def test_protocols_stay_apart(tmp_path):
    peeks = Choice("best_by_target_labels", validation_steps=5)
    runs = [
        make(tmp_path / "a"),
        make(tmp_path / "source", domain="rural"),
        make(tmp_path / "peek", choice=peeks),
        make(tmp_path / "few", ids=(1, 2)),
    ]
    text = compare(runs, published=True, format="markdown")
    assert text.count("### ") == 4 + 4 and " minus " not in text
    assert "trained-on source validation" in text and "no adaptation result" in text
    assert "hidden test (LoveDA urban, scored by the benchmark's server, " in text
    assert "ConvNeXt-XL + ConvNeXt-B rDepth" in text and "u2r" not in text


def test_the_published_rows_alone():
    assert len(table([], published=True)) == 32


def test_other_scenes_are_another_protocol(tmp_path):
    others = [Demo(), Demo(scenes_seed=1), Demo(tile_pixels=128)]
    runs = [make(tmp_path / str(place), data=demo) for place, demo in enumerate(others)]
    assert compare(runs, published=False, format="markdown").count("### ") == 3


def test_depth_of_another_source_is_noted(tmp_path):
    """The published numbers are of one source; a recipe without depth has none to miss."""
    for name, noted in (("rdepth_b_s", True), ("convnext_b", False)):
        experiment = recipe(name).changed(data=LoveDA(config="depth_anything_v2_small"))
        wanted = "depth: depth_anything_v1_large -> depth_anything_v2_small"
        assert (wanted in deviation(experiment)) == noted
        assert not deviation(experiment.changed(data=LoveDA(config="depth_anything_v1_large")))


def test_what_was_scored_before_its_end_is_noted(tmp_path):
    run = make(tmp_path / "a")
    path = run / "evaluations/val_urban.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"step": 100}))
    text = compare([run], published=False, format="markdown")
    assert "not trained to its end: scored at step 100 of 450" in text


def test_a_checkpoint_that_is_not_the_rules_own_is_named(tmp_path):
    """The newest one was damaged and passed over: the row must not say that it is the last."""
    run = make(tmp_path / "a")
    path = run / "evaluations/val_urban.json"
    told = {"step": 100, "passed_over": ["The checkpoint of step 300 is damaged: it has changed."]}
    path.write_text(json.dumps(json.loads(path.read_text()) | told))
    (line,) = table([run])
    assert line["checkpoint"] == "last (step 100)" and "step 300 is damaged" in line["note"]
    assert "checkpoint: last (step 100)" in headline(Run(run), json.loads(path.read_text()))


def test_runs_on_a_folder_are_compared(tmp_path):
    three = ClassTable(("a", "b", "c"), (0, 1, 2), ((0, 0, 0), (1, 1, 1), (2, 2, 2)))
    folder = Folder("r2u", three, "A", "B")
    places = [{"data_dir": f"/somewhere/{place}/tiles"} for place in ("x", "x", "y")]
    runs = [
        make(tmp_path / str(seed), seed, domain="B", data=folder, resources=place)
        for seed, place in enumerate(places)
    ]
    text = compare(runs, published=False, format="markdown")
    assert text.count("### A to B, target validation (x/tiles B, 3 tiles") == 1
    assert "demo (2 seeds)" in text and "y/tiles" in text


def test_other_tiles_are_not_compared(tmp_path):
    runs = [make(tmp_path / "a"), make(tmp_path / "b", ids=(1, 2, 4), steps=7)]
    text = compare(runs, published=False, format="markdown")
    assert "b and a were scored on different tiles." in text


def edited(run, name="val_urban", **fields):
    """Changes fields of a stored evaluation."""
    path = run / f"evaluations/{name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_other_labels_are_not_compared(tmp_path):
    """The tiles are called the same, but were labelled anew between the two."""
    runs = [make(tmp_path / "a"), make(tmp_path / "b", steps=7)]
    confusions = np.array(Run(runs[1]).evaluations.counts("val_urban").confusions)
    confusions[0, 2, 2] += 1
    counts = Counts((1, 2, 3), confusions)
    counts.save(runs[1] / "evaluations/val_urban.npz")
    edited(runs[1], **counts.all_scores(Demo().classes))
    text = compare(runs, published=False, format="markdown")
    assert (
        "b and a were scored on different labels, or with classes in another order." in text
        and "minus" not in text
    )
    told = {line["method"]: line["remarks"] for line in table(runs)}
    assert told == {
        "a": "",
        "b": "b and a were scored on different labels, or with classes in another order.",
    }


def test_other_pictures_are_not_compared(tmp_path):
    """The tiles and their labels are called the same, but the files were exchanged."""
    runs = [make(tmp_path / "a"), make(tmp_path / "b", steps=7)]
    edited(runs[0], files={"images": "1", "masks": "2", "depths": "3"})
    edited(runs[1], files={"images": "7", "masks": "2"})
    text = compare(runs, published=False, format="markdown")
    assert text.count("### ") == 2 and "minus" not in text


def test_masks_that_are_read_otherwise_are_other_labels():
    """The files are the same, the class file is another; its order and colours are no matter."""
    colors = ((0, 0, 0), (1, 1, 1))
    own = ClassTable(("field", "roof"), (0, 1), colors)
    files, swapped = {"images": "1", "masks": "2"}, dataclasses.replace(own, values=(1, 0))
    assert _tiles(files, own) != _tiles(files, swapped)
    assert _tiles(files, own) != _tiles(files, dataclasses.replace(own, ignored=(9,)))
    assert _tiles(files, own) == _tiles(files, ClassTable(("roof", "field"), (1, 0), colors))
    by_colour = dataclasses.replace(own, ignored_colors=())
    assert by_colour.reading != dataclasses.replace(by_colour, colors=colors[::-1]).reading


def test_seeds_on_other_files_are_no_family(tmp_path):
    """Two folders of one name are two tables; other depth is another row of one table."""
    runs = [make(tmp_path / str(seed), seed) for seed in range(4)]
    depths = ("3", "3", "4", "3")
    for run, image, depth in zip(runs, ("1", "1", "1", "7"), depths, strict=True):
        edited(run, files={"images": image, "masks": "2", "depths": depth})
    text = compare(runs, published=False, format="markdown")
    assert text.count("### ") == 2 and text.count("(2 seeds)") == 1 and "(3 seeds)" not in text
    assert "2 and 0 were scored on different files of depths." in text
    assert len({line["protocol"] for line in table(runs)}) == 2 and len(table(runs)) == 3


@pytest.mark.parametrize("kind", ["trained_on", "files", "depth"])
def test_seeds_that_were_trained_on_other_data_are_no_family(tmp_path, noted, kind):
    """Tiles were added, or depth made anew, between the first and the third."""
    runs = [make(tmp_path / str(seed), seed) for seed in range(3)]
    told = {
        "trained_on": [{"train/rural": count} for count in (3, 3, 4)],
        "files": [{"train/rural": {"depths": digest}} for digest in "aab"],
        "depth": [{"source": name} for name in ("x", "x", "y")],
    }
    for run, value in zip(runs, told[kind], strict=True):
        noted(run, Run(run).experiment, **{kind: value})
    assert sorted(line["method"] for line in table(runs)) == ["2", "demo (2 seeds)"]


@pytest.mark.parametrize(
    ("depth", "files", "tag"),
    [
        ({"config": "depths_png"}, {"records": "0123456789"}, "depths_png 01234567"),
        ({"source": "maps of the folder"}, {"images": "1", "depths": "abcdefghi"},
         "maps of the folder abcdefgh"),
        ({"config": "depth_anything_v2_small", "fingerprint": "9" * 9}, {"records": "0123456789"},
         "depth_anything_v2_small"),
        ({"config": "checkpoint", "fingerprint": "9" * 9}, {"records": "0"}, "checkpoint 99999999"),
        (None, {"records": "0123456789"}, "none"),
    ],
)  # fmt: skip
def test_maps_of_ones_own_are_told_apart(tmp_path, depth, files, tag):
    run = make(tmp_path / "a")
    edited(run, depth=depth, files=files)
    assert table([run])[0]["depth"] == tag


def test_other_classes_are_another_protocol(tmp_path):
    tables = [
        ClassTable(names, (0, 1), ((0, 0, 0), (1, 1, 1))) for names in (("a", "b"), ("a", "c"))
    ]
    runs = [
        make(tmp_path / str(place), domain="B", data=Folder("r2u", table, "A", "B"))
        for place, table in enumerate(tables)
    ]
    text = compare(runs, published=False, format="markdown")
    assert text.count("### ") == 2 and "minus" not in text


@pytest.mark.parametrize("content", ["[]", "null"])
def test_what_is_no_evaluation_is_named(tmp_path, content):
    run = make(tmp_path / "a")
    (run / "evaluations/val_urban.json").write_text(content)
    with pytest.raises(ValueError, match=r"val_urban\.json .*no object"):
        table([run])


WRONG = {
    **{"miou": "0.5", "iou": {"water": "wet"}, "tiles": "2", "miou_interval": [float("nan"), 1.0]},
    **{"split": 7, "domain": None, "dataset": [], "absent": "some", "inference": {}, "step": -1},
    **{"seeds": "abc", "depth": {"source": ["x"]}, "passed_over": "x", "members": [1], "files": 3},
    **{"changed_data": [None], "trained_steps": "all", "member_notes": "b", "trained_on_too": 1},
    **{"odd": ["x"], "other_versions": 1},
}


def test_tiles_that_are_trained_on_are_told(tmp_path):
    run = make(tmp_path / "a")
    edited(run, trained_on_too="2 of the 3 tiles are trained on as well")
    assert "2 of the 3 tiles are trained on as well" in str(table([run]))
    edited(run, odd="1 of the 3 pictures are there before")
    assert "1 of the 3 pictures are there before" in str(table([run]))


@pytest.mark.parametrize(("field", "value"), WRONG.items(), ids=WRONG)
def test_a_field_of_another_kind_is_named(tmp_path, field, value):
    run = make(tmp_path / "a")
    edited(run, **{field: value})
    with pytest.raises(ValueError, match=rf"val_urban\.json .*, by its {field} ") as error:
        table([run])
    assert "\n" not in str(error.value)


def test_a_field_that_is_missing_is_named(tmp_path):
    run = make(tmp_path / "a")
    path = run / "evaluations/val_urban.json"
    content = json.loads(path.read_text())
    for field in ("miou_interval", "tiles"):
        path.write_text(json.dumps({k: v for k, v in content.items() if k != field}))
        with pytest.raises(ValueError, match=rf"by its {field}: evaluate the run again"):
            table([run])


@pytest.mark.parametrize(
    ("field", "value"), [("miou", 0.99), ("tiles", 4), ("miou_interval", None), ("iou", "one")]
)
def test_a_score_that_is_not_that_of_its_counts_is_refused(tmp_path, field, value):
    run = make(tmp_path / "a", ids=range(8))
    if value == "one":
        stored = json.loads((run / "evaluations/val_urban.json").read_text())
        value = stored["iou"] | {"water": 0.9}
    edited(run, **{field: value})
    with pytest.raises(ValueError, match=rf"val_urban\.json has another {field} than the counts"):
        table([run])


def test_counts_that_are_gone_or_of_other_classes_are_told(tmp_path):
    run = make(tmp_path / "a")
    Counts((1, 2, 3), np.ones((3, 2, 2), np.int64)).save(run / "evaluations/val_urban.npz")
    with pytest.raises(ValueError, match=r"val_urban\.npz counts 2 classes, but the run has 7"):
        table([run])
    (run / "evaluations/val_urban.npz").unlink()
    with pytest.raises(FileNotFoundError, match="no counts of an evaluation"):
        table([run])


def test_a_copy_is_shown_once(tmp_path):
    """And under the name that its content has."""
    run = make(tmp_path / "a")
    for suffix in ("json", "npz"):
        whole = (run / f"evaluations/val_urban.{suffix}").read_bytes()
        (run / f"evaluations/val_urban-views=flips.{suffix}").write_bytes(whole)
    assert [line["method"] for line in table([run])] == ["a"]
    for suffix in ("json", "npz"):
        (run / f"evaluations/val_urban.{suffix}").unlink()
    assert [line["method"] for line in table([run])] == ["a"]


def test_a_domain_with_a_hyphen_is_no_special_inference(tmp_path):
    run = make(tmp_path / "a", domain="north-east")
    flips = "val_north-east-views=flips"
    for suffix in ("json", "npz"):
        whole = (run / f"evaluations/val_north-east.{suffix}").read_bytes()
        (run / f"evaluations/{flips}.{suffix}").write_bytes(whole)
    inference = json.loads((run / f"evaluations/{flips}.json").read_text())["inference"]
    edited(run, flips, inference=inference | {"views": "flips"})
    assert {line["method"] for line in table([run])} == {"a", "a views=flips"}


def test_data_that_have_changed_since_are_noted(tmp_path):
    run = make(tmp_path / "a")
    edited(run, changed_data=["depths of train/rural"])
    (line,) = table([run])
    assert line["note"] == "the data have changed since the run began: depths of train/rural"


def test_what_is_noted_of_any_seed_is_noted_of_their_mean(tmp_path):
    runs = [make(tmp_path / f"run{seed}", seed) for seed in range(3)]
    for run, step in zip(runs, (450, 100, 100), strict=True):
        edited(run, step=step)
    (line,) = table(runs)
    assert line["note"] == "not trained to its end: scored at step 100 of 450"


def test_a_chosen_checkpoint_of_an_unfinished_run_is_noted(tmp_path):
    run = make(tmp_path / "a", choice=Choice("best", validation_steps=5))
    edited(run, step=5, trained_steps=40)
    assert "not trained to its end: chosen up to step 40 of 450" in table([run])[0]["note"]
    edited(run, trained_steps=450)
    assert "trained" not in table([run])[0]["note"]
    edited(run, trained_steps=None)
    assert "nobody knows how far it was trained" in table([run])[0]["note"]


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no run"):
        table([tmp_path])
    run = make(tmp_path / "a")
    for path in (run / "evaluations").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"evaluate.py --run .*a"):
        table([run])


def test_inference_in_words():
    settings = {
        "window_pixels": 512, "stride_pixels": 341, "blend": "tapered", "average": "probabilities",
        "views": "symmetries", "scales": [0.75, 1.0],
    }  # fmt: skip
    assert describe_inference(settings) == (
        "slide 512/341 tapered, symmetries, scales 0.75 1.0, probabilities averaged"
    )
    whole = {**settings, "window_pixels": None, "blend": "uniform", "views": "one", "scales": [1.0]}
    assert describe_inference(whole) == "whole, probabilities averaged"


def test_rows_that_were_trained_on_other_files_are_told(tmp_path, noted):
    """Source masks that were mended between two runs would else be credited to the settings."""
    runs = [make(tmp_path / "a"), make(tmp_path / "b", steps=7)]
    for directory, masks in zip(runs, ("1234", "5678"), strict=True):
        own = Run(directory)
        files = {"train/rural": {"images": "ab", "masks": masks}}
        noted(directory, own.experiment, trained_on={"train/rural": 3}, files=files)
    text = compare(runs, published=False, format="markdown")
    assert "b and a were trained on other masks of train/rural." in text


def test_runs_of_one_name_are_told_apart(tmp_path):
    runs = [
        make(tmp_path / "x/a"),
        make(tmp_path / "y/a", steps=7),
        make(tmp_path / "y/b", steps=8),
    ]
    assert {line["method"] for line in table(runs)} == {"x/a", "y/a", "y/b"}
    text = compare(runs, published=False, format="markdown")
    assert "y/a minus x/a: " in text and "a minus a" not in text.replace("y/a minus x/a", "")
    assert {line["method"] for line in table(runs[1:])} == {"a", "b"}


def test_what_training_began_with_is_told_of_the_step_that_was_scored(tmp_path):
    run = make(tmp_path / "a", steps=400, choice=Choice(average_decay=0.99))
    edited(run, step=20)
    (line,) = table([run])
    assert "of the averaged weights 82% is what training began with" in line["note"]
