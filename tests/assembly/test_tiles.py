"""Which tiles train: what is left out is said, what is bad is named, nothing is dropped."""

import dataclasses
from dataclasses import dataclass, replace

import numpy as np
import pytest

from rdepth_keras.adapt import SourceOnly
from rdepth_keras.assembly import Sources, check_files, labelled_tiles, training_sources
from rdepth_keras.assembly.tiles import (
    check_sides,
    domain_batches,
    kept,
    target_batches,
    tile_chances,
    unseen_classes,
)
from rdepth_keras.data.dataset import Opened
from rdepth_keras.data.demo.tiles import DemoTiles
from rdepth_keras.data.pipeline import Unlabelled
from rdepth_keras.data.splits import AbsentSplit
from rdepth_keras.experiment import Augmentation, Economy, Sampling
from rdepth_keras.labels import IGNORE
from rdepth_keras.recipes import recipe


@dataclass(frozen=True)
class Some:
    name: str
    count: int = 3
    labelled: bool = True

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        label = np.full((8, 8), index, np.uint8)
        image, depth = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 1), np.float32)
        return {"id": index, "image": image, "depth": depth, "label": label}


@dataclass(frozen=True)
class Mixed(Some):
    """Tiles of which two have labels."""

    labelled: bool = False

    def labelled_part(self):
        return Some(self.name, 2)

    def shortest_side(self):
        return 1024


@dataclass(frozen=True)
class Adapting(SourceOnly):
    @property
    def uses_target(self):
        return True


def data(places, faults=lambda tiles, pixels: [], flat=lambda tiles: []):
    def tiles(split, domain):
        if (split, domain) not in places:
            raise AbsentSplit(f"there is no {split}/{domain}.")
        found = places[split, domain]
        if isinstance(found, Exception):
            raise found
        return found

    return Opened({}, tiles, faults, flat)


RURAL = {("train", "rural"): Some("train"), ("val", "rural"): Some("val", 2)}


def test_all_splits_of_the_source_train():
    sources = training_sources(recipe("demo"), data(RURAL))
    assert sources.counts(recipe("demo")) == {"train/rural": 3, "val/rural": 2}
    assert sources.target is None and sources.notices == sources.lacks == ()


def test_what_is_absent_or_unlabelled_is_left_out_and_said():
    places = {("train", "rural"): Some("train")}
    (notice,) = training_sources(recipe("demo"), data(places)).lacks
    assert notice == "Not used for training: there is no val/rural."
    places["val", "rural"] = Some("val", labelled=False)
    (notice,) = training_sources(recipe("demo"), data(places)).lacks
    assert notice == "Not used for training: the val split of rural has no labels."
    with pytest.raises(ValueError, match=r"no labelled tiles of the rural domain .*no train/rural"):
        training_sources(recipe("demo"), data({}))


@pytest.mark.parametrize(
    "error", [ValueError("truncated PNG"), FileNotFoundError("gone"), OSError()], ids=repr
)
def test_every_other_trouble_is_an_error(error):
    """A bad file must never drop a whole split."""
    places = {**RURAL, ("train", "rural"): error}
    with pytest.raises(type(error)):
        training_sources(recipe("demo"), data(places))
    with pytest.raises(type(error)):
        labelled_tiles(data(places), "train", "rural")


def test_the_trouble_of_one_split_hides_no_other():
    places = {("train", "rural"): ValueError("one."), ("val", "rural"): ValueError("other.")}
    with pytest.raises(ValueError, match=r"one\. other\."):
        training_sources(recipe("demo"), data(places))


def test_all_bad_files_are_named_before_the_first_step():
    def faults(tiles, pixels):
        assert not pixels, "headers are enough here"
        return [f"{tiles.name}/{number}.png: truncated" for number in range(tiles.count)]

    with pytest.raises(ValueError, match="5 files are bad") as error:
        training_sources(recipe("demo"), data(RURAL, faults))
    for name in ("train/0.png", "train/2.png", "val/1.png"):
        assert name in str(error.value)
    with pytest.raises(ValueError, match="50 files are bad") as error:
        check_files(data(RURAL, faults), [Some("many", 50)])
    assert all(f"many/{number}.png" in str(error.value) for number in range(50))
    assert str(error.value).count("truncated") == 1, "what they share is said once"


def test_mixed_tiles_train_where_they_have_labels_and_adapt_everywhere():
    places = {**RURAL, ("train", "rural"): Mixed("train"), ("train", "urban"): Mixed("target")}
    experiment = recipe("demo").changed(method=Adapting())
    sources = training_sources(experiment, data(places))
    assert sources.counts(experiment) == {
        "train/rural": 2,
        "val/rural": 2,
        "train/urban (without labels)": 3,
    }
    assert sources.lacks == ("Not used for training: 1 tiles of train/rural: no masks",)


def test_depth_that_tells_nothing_is_told():
    def flat(tiles):
        return [f"{tiles.name}/7.png"] if tiles.name == "val" else []

    (notice,) = training_sources(recipe("demo"), data(RURAL, flat=flat)).lacks
    assert notice.startswith("WARNING: 1 depth map is flat") and "val/7.png" in notice


def test_a_part_of_the_published_tiles_is_told():
    parts = replace(data(RURAL), lacking=lambda tiles: "val has 2 of 9 tiles" * (len(tiles) == 2))
    assert training_sources(recipe("demo"), parts).lacks == ("PARTIAL: val has 2 of 9 tiles",)


def test_tiles_that_are_hardly_what_they_should_be_are_told():
    odd = replace(data(RURAL), oddities=lambda tiles: ["1 picture is there twice"] * len(tiles))
    lacks = training_sources(recipe("demo"), odd).lacks
    assert lacks and set(lacks) == {"WARNING: 1 picture is there twice"}


def test_rare_classes_are_drawn_more_often():
    assert tile_chances(recipe("rdepth_b_s"), [Some("a")]) is None
    plain = {"sampling": Sampling(0.1), "augmentation": Augmentation()}
    rare = recipe("demo").changed(training=plain)
    said = []
    found = tile_chances(rare, [Some("a", 2), Some("b", 1)], said.append)
    assert said == [
        "WARNING: no training tile shows road, water, barren, forest, agriculture: nothing is "
        "learned of them."
    ]
    assert found.sum() == pytest.approx(1)
    assert found[1] > found[0] == found[2], "class 0 is on two tiles, class 1 on one"
    wanted = rare.changed(training={"augmentation": Augmentation(crop_wanted_pixels=1)})
    by_class = tile_chances(wanted, [Some("a", 2), Some("b", 1)])
    np.testing.assert_allclose(by_class.sum(0), found)
    assert by_class.shape == (7, 3)
    full = wanted.changed(
        training={"augmentation": Augmentation(crop_wanted_pixels=64), "crop": 32}
    )
    assert tile_chances(full.changed(training={"crop": 33}), [Some("a", 2)]).shape == (7, 2)
    with pytest.raises(ValueError, match="A crop of 32 x 32 never shows more than 1024 pixels"):
        tile_chances(
            full.changed(training={"augmentation": Augmentation(crop_wanted_pixels=1024)}),
            [Some("a", 2)],
        )
    plain = wanted.changed(training={"sampling": Sampling()})
    with pytest.raises(ValueError, match="add --rare-class-temperature"):
        tile_chances(plain, [Some("a")])


@dataclass(frozen=True)
class Specks(Some):
    """Tiles of 10 000 pixels: all of class 0, with nine of class 1, and without labels."""

    def __getitem__(self, index):
        label = np.full((100, 100), IGNORE if index == 2 else 0, np.uint8)
        label[0, : 9 * (index == 1)] = 1
        return super().__getitem__(index) | {"label": label}


def test_classes_too_rare_to_be_drawn_for_are_told():
    """Else the rarest class is never drawn, and nobody learns of it."""
    training = {"sampling": Sampling(0.1), "augmentation": Augmentation()}
    experiment, said = recipe("demo").changed(training=training), []
    found = tile_chances(experiment, [Specks("a")], said.append)
    np.testing.assert_allclose(found, [0.5, 0.5, 0])
    assert said[0].startswith("WARNING: no training tile shows road") and said[1:] == [
        "WARNING: no tile is drawn for building: none shows so much of one as 0.1% of its labelled "
        "pixels. Smaller tiles would.",
        "1 of 3 training tiles are never drawn: they have no labels, or none of a class that is "
        "rare enough for --rare-class-temperature 0.1",
    ]


@pytest.mark.parametrize(
    "settings", [{"crop_wanted_pixels": 5}, {"crop_redraws": 1}], ids=["wanted", "redrawn"]
)
def test_no_label_of_the_target_is_looked_for(settings):
    asks = {"target_augmentation": Augmentation(**settings)}
    with pytest.raises(ValueError, match="the target's are unknown or guesses: set them to 0 and"):
        target_batches(recipe("demo_daformer").changed(training=asks), Some("a"))


def test_target_tiles_that_a_scale_makes_smaller_than_the_crop_are_refused():
    """ST-DASegNet squashes tiles of 1024 to a crop of 384; smaller ones would be mostly black."""
    training = recipe("st_dasegnet_segformer").training
    experiment = recipe("demo_st_dasegnet_segformer").changed(
        training={"crop": 32, "target_augmentation": training.target_augmentation}
    )
    side = Guessed(0.5)[0]["image"].shape[0]
    message = rf"{side} pixels on, .* at most {0.375 * side:g} of these, less than the crop of 32: "
    with pytest.raises(ValueError, match=message):
        check_sides(experiment, Guessed(0.5))


def test_pseudo_labels_steer_no_crop():
    """The crops of a target's tiles are the same, whatever its labels; the demo's own look."""
    experiment = recipe("demo_cbst").changed(training={"crop": 32, "batch_size": 2})
    assert experiment.training.augmentation.crop_redraws > 0
    one, other = (next(target_batches(experiment, Guessed(0.5 * i))) for i in range(2))
    assert (one["label"] != other["label"]).any()
    for name in ("id", "image", "depth"):
        np.testing.assert_array_equal(one[name], other[name])


@dataclass(frozen=True)
class Guessed:
    """Tiles whose left part, of this share, is of class 1."""

    share: float
    labelled: bool = True

    def __len__(self):
        return 4

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        label = np.zeros((64, 64), np.uint8)
        label[:, : int(self.share * 64)] = 1
        image = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
        return {
            "id": index,
            "image": image,
            "depth": rng.random((64, 64, 1)).astype(np.float32),
            "label": label,
        }


class Small(Guessed):
    def shortest_side(self):
        return 20


def test_target_tiles_smaller_than_the_crop_are_refused_where_guesses_are_labels():
    """The smallest of them decides; the labels of rounds end where the tile does."""
    for name in ("demo_daformer", "demo_pycda", "demo_clan"):
        experiment = recipe(name).changed(training={"crop": 32})
        scaled = experiment.training.target_augmentation or experiment.training.augmentation
        assert 20 * scaled.scale.largest < 32
        with pytest.raises(ValueError, match="sides from 20 pixels on, .* crop of 32: .* Give a"):
            check_sides(experiment, Small(0.5))
    check_sides(recipe("demo_cbst").changed(training={"crop": 32}), Small(0.5))


def test_what_the_target_is_not_read_for_is_refused():
    asks = {"target_augmentation": Augmentation(crop_redraws=0)}
    sources = Sources({"train": Some("a")}, None)
    with pytest.raises(ValueError, match="SourceOnly reads no tile of the target: leave it away"):
        domain_batches(recipe("demo").changed(training=asks), sources, print)


def test_the_cache_holds_what_training_reads_of_both_domains(tmp_path):
    """Else a method waits for the target's tiles, which are decoded again and again."""
    own, other = DemoTiles("rural", "train", 0, 2, 32), DemoTiles("urban", "train", 0, 2, 32)
    other = Unlabelled(other)
    sources = Sources({"train": own}, other)
    plain, said = recipe("demo_cbst"), []
    assert kept(plain, sources, said.append) is sources and not said
    economy = {"economy": Economy(cache=str(tmp_path))}
    found = kept(plain.changed(resources=economy), sources, said.append)
    assert len(list(tmp_path.glob("*.npy"))) == 2 and len(said) == 2
    for ours, theirs in ((found.source["train"], own), (found.target, other)):
        np.testing.assert_array_equal(ours[1]["image"], theirs[1]["image"])
        np.testing.assert_array_equal(ours[1]["label"], theirs[1]["label"])
    assert (found.target[1]["label"] == IGNORE).all()


def test_classes_that_no_tile_shows_are_told_without_rare_class_sampling_too():
    experiment, said = recipe("rdepth_b_s"), []
    domain_batches(experiment, Sources({"train": Some("a", 5)}, None), said.append)
    assert said == [
        "WARNING: no training tile shows forest, agriculture: nothing is learned of them."
    ]
    assert not unseen_classes(experiment, [Some("a", 7)])
    (found,) = {unseen_classes(experiment, [Sparse("a", 300)]) for _ in range(2)}
    assert found.startswith("WARNING: none of 100 training tiles shows building, road") and (
        "and 200 more are not looked at: where those do not either, nothing is learned" in found
    )


class Sparse(Some):
    def __getitem__(self, index):
        return super().__getitem__(0)


def test_depth_of_several_origins_is_told():
    opened = dataclasses.replace(data(RURAL), depth={"origins": "one and other"})
    assert training_sources(recipe("demo"), opened).notices == (
        "WARNING: depth maps of several origins, whose scales may differ: one and other",
    )
