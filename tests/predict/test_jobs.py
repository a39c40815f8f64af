"""Which pictures are predicted, and where each one's map goes."""

from pathlib import Path

import pytest

from rdepth_keras.predict.jobs import Job, plan


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.JPG", "notes.txt", "c.tif"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "d.png").mkdir()
    return tmp_path


def test_one_picture():
    assert plan(Path("a.png"), Path("out.png"), Path("d.png")) == [
        Job(Path("a.png"), Path("out.png"), Path("d.png"))
    ]


def test_a_folder_in_the_order_of_names(folder):
    jobs = plan(folder, Path("maps"))
    assert [job.image.name for job in jobs] == ["a.JPG", "b.png", "c.tif"]
    assert [job.out for job in jobs] == [Path("maps") / f"{name}.png" for name in "abc"]


def test_what_is_no_picture_is_left_out_with_a_line(folder):
    """Hidden files are such as another system leaves beside each picture that it copies."""
    said = []
    for name in ("._b.png", "e.jp2", "f.jp2", "plain"):
        (folder / name).write_bytes(b"no picture")
    (folder / "g.png").symlink_to("nowhere.png")
    jobs = plan(folder, Path("maps"), notify=said.append)
    assert [job.image.name for job in jobs] == ["a.JPG", "b.png", "c.tif"]
    assert said == [
        "Left out: 1 hidden (._b.png), 1 folder (d.png), 2 .jp2 (e.jp2 …), 1 link to nothing "
        "(g.png), 1 .txt (notes.txt), 1 without suffix (plain). Pictures end in .png, .jpg, .jpeg, "
        ".tif, .tiff, .bmp, .webp."
    ]


def test_a_pattern_reaches_into_folders(folder):
    said = []
    (folder / "deep" / "er").mkdir(parents=True)
    for place in ("deep/h.png", "deep/er/i.png"):
        (folder / place).write_bytes(b"")
    jobs = plan(folder / "**" / "*.png", Path("maps"), notify=said.append)
    assert [job.out.name for job in jobs] == ["b.png", "i.png", "h.png"]
    assert len(said) == 1 and said[0].startswith("Left out: 1 folder (d.png). Pictures end in")


def test_a_pattern(folder):
    assert [job.image.name for job in plan(folder / "*.png", Path("maps"))] == ["b.png"]
    with pytest.raises(FileNotFoundError, match="no pictures"):
        plan(folder / "*.webp", Path("maps"))


def test_maps_of_the_same_names(folder, tmp_path):
    depths = tmp_path / "depths"
    depths.mkdir()
    for name in ("a.png", "b.tif"):
        (depths / name).write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="no depth map named c.png"):
        plan(folder, Path("maps"), depths)
    (depths / "c.png").write_bytes(b"")
    found = [job.depth.name for job in plan(folder, Path("maps"), depths)]
    assert found == ["a.png", "b.tif", "c.png"]
    (depths / "b.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"several depth maps of b\.png: b\.png, b\.tif; keep one"):
        plan(folder, Path("maps"), depths)


def test_files_that_programs_leave_beside_maps_are_passed_over(folder, tmp_path):
    depths = tmp_path / "depths"
    depths.mkdir()
    for name in (
        "a.tif",
        "a.tfw",
        "a.prj",
        "a.tif.aux.xml",
        "b.png",
        "b.pgw",
        "c.TIF",
        "c.tif.ovr",
    ):
        (depths / name).write_bytes(b"")
    found = [job.depth.name for job in plan(folder, Path("maps"), depths)]
    assert found == ["a.tif", "b.png", "c.TIF"]


def test_maps_of_no_picture_are_told(folder, tmp_path):
    maps, said = tmp_path / "maps", []
    maps.mkdir()
    jobs = plan(folder, tmp_path / "out")
    for name in (*(job.image.stem for job in jobs), "lost"):
        (maps / f"{name}.png").write_bytes(b"")
    (maps / "lost.txt").write_bytes(b"")
    plan(folder, tmp_path / "out", maps, said.append)
    assert said[-1] == "Left out: 1 depth maps of no picture here (lost.png)."


def test_two_pictures_of_one_name_and_a_file_for_many(folder):
    with pytest.raises(ValueError, match="name a folder"):
        plan(folder, Path("out.png"))
    (folder / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"written as a\.png: \S+, \S+\. Rename them, or name"):
        plan(folder, Path("maps"))


def test_a_depth_map_for_many_pictures_and_names_that_look_the_same(folder, tmp_path):
    with pytest.raises(
        NotADirectoryError, match=r"--depth .*one\.png is no folder: for 3 pictures"
    ):
        plan(folder, Path("maps"), tmp_path / "one.png")
    maps = tmp_path / "maps"
    maps.mkdir()
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "Z\u00fcrich.png").write_bytes(b"")
    (maps / "Zu\u0308rich.png").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="other Unicode characters"):
        plan(folder, tmp_path / "out", maps)


def test_a_folder_with_brackets_is_itself_in_a_pattern(tmp_path):
    """As browsers name what is downloaded twice."""
    for name in ("set[1]", "set1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"")
    (job,) = plan(tmp_path / "set[1]" / "*.png", Path("maps"))
    assert job.image == tmp_path / "set[1]" / "a.png"
    (tmp_path / "set[1]" / "a.png").unlink()
    (tmp_path / "set[1]").rmdir()
    (job,) = plan(tmp_path / "set[1]" / "*.png", Path("maps"))
    assert job.image == tmp_path / "set1" / "a.png"
