"""Pictures of an unusual gamma or profile are told wherever pictures are looked at."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from rdepth_keras.data import png
from rdepth_keras.data.folder.colours import unusual_colours, unusual_gamma, unusual_profile
from rdepth_keras.data.folder.fingerprints import oddities
from rdepth_keras.data.folder.folder import open_folder
from rdepth_keras.data.folder.verify import verify_folder
from rdepth_keras.labels import ClassTable
from rdepth_keras.predict.picture import notices

TABLE = ClassTable(("ground", "roof"), (0, 10), ((1, 1, 1), (2, 2, 2)), (99,))
LINEAR = (b"gAMA", struct.pack(">I", 100_000))


def write(path, *chunks):
    """A PNG with further chunks behind its header."""
    image = np.random.default_rng(0).integers(1, 255, (40, 60, 3), np.uint8)
    data = png.encode(image)
    told = [
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data[:33] + b"".join(told) + data[33:])
    return path


@pytest.mark.parametrize(
    ("chunks", "found"),
    [
        ([], None),
        ([LINEAR], 1.0),
        ([(b"tEXt", b"a\0b"), LINEAR], 1.0),
        ([(b"gAMA", struct.pack(">I", 55_556))], 0.55556),  # of old Macs, 1/1.8
        ([(b"gAMA", struct.pack(">I", 45_455))], None),
        ([(b"gAMA", struct.pack(">I", 0))], None),  # no gamma at all
        ([(b"gAMA", b"\0")], None),
        ([LINEAR, (b"sRGB", b"\0")], None),
        ([(b"iCCP", b"name\0\0"), LINEAR], None),
    ],
)
def test_what_a_picture_says_of_its_gamma(tmp_path, chunks, found):
    assert unusual_gamma(write(tmp_path / "a.png", *chunks)) == found


def test_other_and_damaged_files_say_nothing(tmp_path):
    path = write(tmp_path / "a.png", LINEAR)
    data = path.read_bytes()
    for cut in range(40):
        path.write_bytes(data[:cut])
        assert unusual_gamma(path) is None
    path.write_bytes(b"II*\0" + data)
    assert unusual_gamma(path) is None


def test_it_is_told_wherever_pictures_are_looked_at(tmp_path):
    place = tmp_path / "train/town"
    path = write(place / "images/a.png", LINEAR)
    mask = np.random.default_rng(0).choice(np.array([0, 10], np.uint8), (40, 60))
    (place / "masks").mkdir()
    (place / "masks/a.png").write_bytes(png.encode(mask))
    (line,) = unusual_colours([path])
    assert line.startswith("1 of the 1 pictures name other colours than sRGB's (a.png gamma 1), so")
    assert oddities(open_folder(tmp_path, TABLE, with_depth=False).tiles("train", "town")) == [line]
    said = []
    assert verify_folder(tmp_path, TABLE, said.append) == [] and f"WARNING: {line}" in said
    assert notices([path]) == [f"WARNING: {line}"]
    assert unusual_colours([write(path)]) == []


def profile(curve):
    """The ICC profile of sRGB, as littlecms makes it, or with a plain gamma for its curve."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    if curve:  # its tone curve becomes a plain gamma: type curv, one entry
        count = struct.unpack(">I", content[128:132])[0]
        for place in range(132, 132 + 12 * count, 12):
            name, offset, size = struct.unpack(">4sII", content[place : place + 12])
            if name in (b"rTRC", b"gTRC", b"bTRC"):
                plain = b"curv" + bytes(4) + struct.pack(">IH", 1, int(curve * 256))
                content[offset : offset + size] = plain.ljust(size, b"\0")
    return bytes(content)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_profiles_of_other_colours(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    pixels = np.random.default_rng(0).integers(1, 255, (40, 60, 3), np.uint8)
    for curve, told in ((None, False), (2.2, False), (1.0, True)):
        Pillow.fromarray(pixels).save(path, icc_profile=profile(curve))
        assert bool(unusual_profile(path)) == told
    assert "values differ by up to" in unusual_profile(path)
    (line,) = unusual_colours([path])
    assert (
        line.startswith("1 of the 1 pictures name other colours than sRGB's") and path.name in line
    )
    Pillow.fromarray(pixels).save(path, icc_profile=b"no profile")
    assert unusual_profile(path) == "a profile that cannot be read"
    for cut in range(0, 60, 7):
        path.write_bytes(path.read_bytes()[:cut])
        assert unusual_profile(path) == ""
