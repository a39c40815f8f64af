"""A folder whose name is not quite right is told, with what is missing; the rest is left alone."""

import shutil
import zipfile

import pytest

from rdepth_keras.data.loveda.spelling import misspelled
from rdepth_keras.data.loveda.tree import absent_places, find_tiles

FOLDERS = [
    f"{split}/{domain}/{kind}"
    for split in ("Train", "Val", "Test")
    for domain in ("Urban", "Rural")
    for kind in ("images_png", "masks_png")
    if (split, kind) != ("Test", "masks_png")
]


@pytest.fixture
def root(tmp_path):
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def test_as_published(root):
    assert misspelled(root, [], with_depth=False) == []
    shutil.rmtree(root / "Test")
    shutil.rmtree(root / "Val/Urban")
    assert misspelled(root, [], with_depth=False) == [], "merely absent"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Train/Rural", "Train/rural", "Train: missing are Rural, but there are rural."),
        ("Val", "val", "{root}: missing are Val, but there are val."),
        ("Val", "Validation", "{root}: missing are Val, but there are Validation."),
        (
            "Val/Urban/masks_png",
            "Val/Urban/mask_png",
            "Val/Urban: missing are masks_png, but there are mask_png.",
        ),
        (
            "Test/Urban/images_png",
            "Test/Urban/images",
            "Test/Urban: missing are images_png, but there are images.",
        ),
    ],
)
def test_a_folder_spelled_wrongly(root, old, new, expected):
    (root / old).rename(root / new)
    assert misspelled(root, [], with_depth=False) == [expected.format(root=root)]


def test_depth_where_it_is_expected(root):
    (root / "Val/Urban/depth_png").mkdir()
    assert misspelled(root, [], with_depth=False) == []
    (line,) = misspelled(root, [], with_depth=True)
    assert line == "Val/Urban: missing are depths_png, but there are depth_png."


def test_other_things_are_left_alone(root):
    shutil.rmtree(root / "Test")
    for name in ("depth_checkpoint", "downloads/manual", ".git/Urban", "Train/Urban/masks_color"):
        (root / name).mkdir(parents=True)
    (root / "notes.zip").touch()
    assert misspelled(root, ["__MACOSX/Train/urban/images_png/1.png"], with_depth=False) == []


@pytest.mark.parametrize("place", ["Train/Rural", "Test", "Val/Urban/masks_png"])
def test_a_link_to_nothing(root, place):
    shutil.rmtree(root / place)
    (root / place).symlink_to(root / "unmounted")
    assert misspelled(root, [], with_depth=False) == [f"{root / place} is a link to nothing."]


def test_archives(root):
    (root / "test.zip").touch()
    shutil.rmtree(root / "Test")
    shutil.rmtree(root / "Train/Rural")
    said = misspelled(root, ["Train/rural/images_png/1.png"], with_depth=False)
    assert said == [
        f"{root}: missing are Test, but there are test.zip.",
        "Train: missing are Rural, but there are rural.",
    ]


def test_the_tree_refuses_and_names_what_is_absent(tmp_path):
    with zipfile.ZipFile(tmp_path / "Train.zip", "w") as archive:
        archive.writestr("Train/Urban/images_png/9.png", b"")
    names = ["Train/Rural", "Val/Urban", "Val/Rural", "Test/Urban", "Test/Rural"]
    assert absent_places(find_tiles(tmp_path)) == names
    (tmp_path / "Train/rural/images_png").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"there are rural\. Rename what is meant and move"):
        find_tiles(tmp_path)
