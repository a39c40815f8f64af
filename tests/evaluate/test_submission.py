"""The benchmark's zip: written, and every way it can be wrong."""

import hashlib
import shutil
import struct
import warnings
import zipfile
import zlib

import cv2
import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.loveda.census import load_census
from rdepth_keras.evaluate.submission import (
    PUBLISHED,
    Expected,
    check_submission,
    write_submission,
)

EXPECTED = Expected(range(40, 44), side_pixels=16)


def labels(seed=0):
    rng = np.random.default_rng(seed)
    return [(number, rng.integers(0, 7, (16, 16)).astype(np.uint8)) for number in EXPECTED.ids]


def members():
    return {f"{number}.png": png.encode(label) for number, label in labels()}


def pack(path, files):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names that occur twice
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items() if isinstance(files, dict) else files:
                archive.writestr(name, data)
    return path


def faults(path):
    return check_submission(path, EXPECTED).faults


def test_what_is_written_is_valid(tmp_path):
    path = tmp_path / "new" / "out.zip"
    write_submission(path, labels(), EXPECTED)
    found = check_submission(path, EXPECTED)
    assert not found.faults and not found.warnings and str(found) == ""
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["40.png", "41.png", "42.png", "43.png"]
        for number, label in labels():
            np.testing.assert_array_equal(png.decode(archive.read(f"{number}.png")), label)


def test_the_same_labels_make_the_same_bytes_in_any_order(tmp_path):
    digests = set()
    for name, given in (("a.zip", labels()), ("b.zip", reversed(labels()))):
        write_submission(tmp_path / name, given, EXPECTED)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).digest())
    assert len(digests) == 1


def test_a_bad_or_broken_off_submission_leaves_nothing_behind(tmp_path):
    with pytest.raises(ValueError, match=r"missing tiles: 43.png"):
        write_submission(tmp_path / "a.zip", labels()[:-1], EXPECTED)

    def broken():
        yield labels()[0]
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        write_submission(tmp_path / "a.zip", broken(), EXPECTED)
    with pytest.raises(ValueError, match=r"values outside 0..6: 40.png"):
        write_submission(tmp_path / "a.zip", [(n, label + 1) for n, label in labels()], EXPECTED)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda first: [first, first], "Tile 40 has two labels"),
        (lambda first: [(40, first[1] / 1)], r"Tile 40: .* uint8 \(H, W\); received float64"),
        (lambda first: [(40, first[1][..., None])], r"uint8 \(16, 16, 1\)"),
    ],
)
def test_labels_that_cannot_be_are_named_at_once(tmp_path, change, said):
    def given():
        yield from change(labels()[0])
        pytest.fail("another label was asked for")

    with pytest.raises(ValueError, match=said):
        write_submission(tmp_path / "a.zip", given(), EXPECTED)
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_no_zip_is_told_before_anything_is_predicted(tmp_path):
    def never():
        pytest.fail("a label was asked for")
        yield

    with pytest.raises(ValueError, match=r"\*\.zip"):
        write_submission(tmp_path / "a.png", never(), EXPECTED)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_submission(tmp_path / "file" / "a.zip", never(), EXPECTED)


def test_the_published_ids():
    for domain, expected in PUBLISHED.items():
        census = load_census()[f"test_{domain}"]
        assert expected.ids == range(census["first_id"], census["last_id"] + 1)
        assert len(expected.ids) == census["images"]
        assert (expected.side_pixels, expected.classes) == (1024, 7)


def encode(pixels):
    return png.encode(np.asarray(pixels, np.uint8))


def bits16():
    return png.encode(np.zeros((16, 16), np.uint16))


def palette():
    """An 8-bit palette PNG, 16x16: its one channel holds indices."""

    def chunk(kind, data):
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", 16, 16, 8, 3, 0, 0, 0)
    pixels = zlib.compress(bytes(17) * 16)
    parts = [chunk(b"IHDR", header), chunk(b"PLTE", bytes(3)), chunk(b"IDAT", pixels)]
    return png.SIGNATURE + b"".join(parts) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("replacement", "fault"),
    [
        (encode(np.zeros((16, 16, 3))), "not 8-bit single-channel but 8-bit RGB"),
        (bits16(), "not 8-bit single-channel but 16-bit grey"),
        (palette(), "not 8-bit single-channel but 8-bit palette"),
        (encode(np.zeros((16, 15))), "not 16x16 pixels but 16x15"),
        (encode(np.full((16, 16), 7)), "values outside 0..6"),
        (encode(np.full((16, 16), 255)), "values outside 0..6"),
        (encode(np.zeros((16, 16)))[:-20], "unreadable files (truncated PNG"),
        (b"", "unreadable files (empty file)"),
        (b"GIF89a", "unreadable files (not a PNG file)"),
        (b"x" * EXPECTED.largest_bytes + b"x", "files too large for a tile"),
    ],
)
def test_a_wrong_png_is_named(tmp_path, replacement, fault):
    found = faults(pack(tmp_path / "a.zip", members() | {"42.png": replacement}))
    assert [names for text, names in found.items() if text.startswith(fault)] == [["42.png"]]
    assert len(found) == 1


@pytest.mark.parametrize(
    ("extra", "fault"),
    [
        ("results/", "a folder inside (scores 0)"),
        ("results/40.png", "a folder inside (scores 0)"),
        ("../40.png", "names that point out"),
        ("/40.png", "names that point out"),
        ("..\\40.png", "names that point out"),
        ("c:40.png", "names that point out"),
        ("44.png", "files that are no tile"),
        ("040.png", "files that are no tile"),
        ("40.PNG", "files that are no tile"),
        (".DS_Store", "files that are no tile"),
        ("40.png", "names that occur twice"),
    ],
)
def test_a_wrong_name_is_named(tmp_path, extra, fault):
    found = faults(pack(tmp_path / "a.zip", [*members().items(), (extra, b"")]))
    assert len(found) == 1 and next(iter(found)).startswith(fault)


def test_everything_in_a_folder(tmp_path):
    inside = {f"urban/{name}": data for name, data in members().items()}
    found = check_submission(pack(tmp_path / "a.zip", inside), EXPECTED)
    assert len(found.faults) == 2
    assert "fault: a folder inside (scores 0)" in str(found) and "urban/ (4 files)" in str(found)
    assert "fault: missing tiles: 40.png, 41.png, 42.png, 43.png (4 files)" in str(found)


def test_stored_values_and_missing_tiles(tmp_path):
    shifted = {f"{number}.png": png.encode(label + 1) for number, label in labels()}
    found = faults(pack(tmp_path / "a.zip", shifted))
    assert found.pop("values outside 0..6") == list(shifted)
    assert list(found) == ["values 1..7, as masks are stored: subtract 1 everywhere"]
    some = members()
    del some["41.png"]
    assert faults(pack(tmp_path / "b.zip", some)) == {"missing tiles": ["41.png"]}


def test_one_class_everywhere_is_a_warning(tmp_path):
    constant = {name: encode(np.full((16, 16), 3)) for name in members()}
    found = check_submission(pack(tmp_path / "a.zip", constant), EXPECTED)
    assert not found.faults and "warning: every tile is class 3" in str(found)
    constant["40.png"] = encode(np.full((16, 16), 0))
    assert not check_submission(pack(tmp_path / "b.zip", constant), EXPECTED).warnings


def test_one_map_everywhere_is_a_warning(tmp_path):
    map_ = encode(np.arange(256).reshape(16, 16) % 7)
    found = check_submission(pack(tmp_path / "a.zip", dict.fromkeys(members(), map_)), EXPECTED)
    count = len(members())
    said = f"warning: {count} of the {count} maps are those of other tiles as well, pixel for pixel"
    assert not found.faults and said in str(found)


def test_maps_of_other_tiles_and_many_of_one_class_are_warnings(tmp_path):
    maps, names = members(), list(members())
    copied = cv2.imencode(  # other bytes of the same pixels
        ".png", png.decode(maps[names[0]]), [cv2.IMWRITE_PNG_COMPRESSION, 0]
    )
    maps[names[1]] = copied[1].tobytes()
    found = check_submission(pack(tmp_path / "a.zip", maps), EXPECTED)
    assert found.warnings == [
        f"2 of the {len(maps)} maps are those of other tiles as well, pixel for pixel"
    ]
    flat = {name: encode(np.zeros((16, 16))) for name in names[1:]}
    found = check_submission(pack(tmp_path / "b.zip", members() | flat), EXPECTED)
    assert found.warnings == [f"{len(flat)} of the {len(maps)} maps show one class alone"]
    half = dict(list(flat.items())[: len(maps) // 2])
    assert not check_submission(pack(tmp_path / "c.zip", members() | half), EXPECTED).warnings


def test_maps_that_are_drawn_in_part_are_a_warning(tmp_path):
    expected = Expected(range(8), side_pixels=16)
    rng = np.random.default_rng(0)
    maps = rng.integers(0, 7, (8, 16, 16)).astype(np.uint8)
    maps[:, :, 3] = 2  # one column of one class, as a border may be
    told = {}
    for name, start in (("whole", 16), ("cut", 9)):
        maps[:, start:] = 0
        files = {f"{number}.png": png.encode(label) for number, label in enumerate(maps)}
        told[name] = check_submission(pack(tmp_path / f"{name}.zip", files), expected)
        turned = {key: png.encode(png.decode(data).T) for key, data in files.items()}
        told[f"{name}, turned"] = check_submission(pack(tmp_path / "t.zip", turned), expected)
    assert [str(told[name]) for name in ("whole", "whole, turned")] == ["", ""]
    said = "warning: 7 {} between 9 and 15 show one class each in nearly all maps: are they cut off"
    assert str(told["cut"]).startswith(said.format("rows"))
    assert str(told["cut, turned"]).startswith(said.format("columns"))
    assert not told["cut"].faults
    few = {name: data for name, data in files.items() if name != "7.png"}
    found = check_submission(pack(tmp_path / "few.zip", few), Expected(range(7), side_pixels=16))
    assert str(found) == "", "too few maps tell nothing"


def test_no_background_anywhere_is_a_warning(tmp_path):
    shifted = {name: encode(np.arange(256).reshape(16, 16) % 6 + 1) for name in members()}
    found = check_submission(pack(tmp_path / "a.zip", shifted), EXPECTED)
    assert not found.faults and "warning: class 0, background, is nowhere" in str(found)


def test_encrypted_files(tmp_path):
    path = pack(tmp_path / "a.zip", members())
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    assert faults(path) == {"encrypted files": ["40.png"]}


def test_links(tmp_path):
    entry = zipfile.ZipInfo("43.png")
    entry.external_attr = 0o120777 << 16
    files = [item for item in members().items() if item[0] != "43.png"]
    found = faults(pack(tmp_path / "a.zip", [*files, (entry, b"/etc/passwd")]))
    assert found == {"links instead of files": ["43.png"]}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_zip(tmp_path, share):
    path = pack(tmp_path / "a.zip", members())
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    found = faults(path)
    assert len(found) == 1 and next(iter(found)).startswith("no readable zip")


def test_flipped_bytes_never_pass_nor_crash(tmp_path):
    whole = pack(tmp_path / "a.zip", members()).read_bytes()
    path, rng = tmp_path / "b.zip", np.random.default_rng(0)
    start, end = whole.index(png.SIGNATURE), whole.index(b"PK\1\2")
    for place in rng.integers(start, end, 60):
        data = bytearray(whole)
        data[place] ^= 0xFF
        path.write_bytes(data)
        header = whole.rfind(b"PK\3\4", 0, place)
        if place >= header + 30:  # the central directory overrules most of a local header
            assert faults(path)
        else:
            check_submission(path, EXPECTED)


def test_a_bomb_is_not_unpacked(tmp_path):
    """A header of 65535x65535 pixels, and a file of many megabytes of zeros."""
    huge = bytearray(members()["40.png"])
    huge[16:24] = struct.pack(">II", 1 << 13, 1 << 13)
    huge[29:33] = struct.pack(">I", zlib.crc32(huge[12:29]))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (members() | {"40.png": bytes(huge), "41.png": bytes(1 << 24)}).items():
            archive.writestr(name, data)
    assert faults(tmp_path / "a.zip") == {
        "not 16x16 pixels but 8192x8192": ["40.png"],
        "files too large for a tile": ["41.png"],
    }


def test_names_from_a_hostile_zip_are_printed_harmlessly(tmp_path):
    path = pack(tmp_path / "a.zip", [*members().items(), ("\x1b[2J.png", b"")])
    assert "\x1b" not in str(check_submission(path, EXPECTED))


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        check_submission(tmp_path / "a.zip", EXPECTED)
    (tmp_path / "a.zip").write_text("hello")
    shutil.copy(tmp_path / "a.zip", tmp_path / "b.zip")
    assert next(iter(faults(tmp_path / "b.zip"))).startswith("no readable zip")
