"""A file is told from others by its name, its size, its start and its end."""

from rdepth_keras.data.fingerprints import describe, digest


def test_what_a_line_depends_on(tmp_path):
    path, content = tmp_path / "a", bytes(range(100))
    path.write_bytes(content)
    before = describe(path, 10, 20)
    for place, seen in ((9, True), (10, False), (79, False), (80, True)):
        path.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
        assert (describe(path, 10, 20) != before) == seen
    path.write_bytes(content)
    assert describe(path, 10, 20) == before != describe(path.rename(tmp_path / "b"), 10, 20)
    assert digest([before]) == digest([before]) != digest([before, before])
    assert len(digest([])) == 16
