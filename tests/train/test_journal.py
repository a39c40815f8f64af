import json

import pytest

from rdepth_keras.train.journal import Journal


def test_lines_in_order(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    assert journal.read() == []
    for step in (1, 10, 20):
        journal.write(step, loss=1 / step)
    assert [entry["step"] for entry in journal.read()] == [1, 10, 20]
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert json.loads(lines[1]) == {"step": 10, "loss": 0.1}


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write(1, loss=2.0)
    with journal.path.open("a") as file:
        file.write('{"step": 2, "lo')
    assert [entry["step"] for entry in journal.read()] == [1]
    journal.cut(5)
    journal.write(3, loss=1.0)
    assert [entry["step"] for entry in journal.read()] == [1, 3]


def test_cut_drops_what_came_after_the_checkpoint(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    for step in range(6):
        journal.write(step, loss=0.5)
    journal.cut(3)
    assert [entry["step"] for entry in journal.read()] == [0, 1, 2, 3]
    assert list(tmp_path.iterdir()) == [journal.path]


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"[]", b"7", b'{"loss": 1}', b'{"step": "2"}', b"\xff\xfe", b'{"step": 2'),
        *(b'{"step": 2, "loss": "low"}', b'{"step": 2, "validation": 0.5}'),
        *(b'{"step": 2, "validation": {"iou": 1}}', b'{"step": 2, "time": 3}'),
    ],
)
def test_a_damaged_line_is_named(tmp_path, line):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write(1, loss=2.0)
    with journal.path.open("ab") as file:
        file.write(line + b"\n")
    journal.write(3, loss=1.0)
    with pytest.raises(ValueError, match=r"journal\.jsonl, line 2: no entry"):
        journal.read()


def test_two_journals_in_one_are_told(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    for step in (1, 10, 10, 3):
        journal.write(step, loss=1.0)
    with pytest.raises(ValueError, match=r"line 4: step 3 after step 10, .* of another run"):
        journal.read()


def test_the_lines_of_another_run_are_refused(tmp_path):
    """Also where steps and names are the same; of a run that nobody knows they are read."""
    path = tmp_path / "journal.jsonl"
    one, other = Journal(path, run="one"), Journal(path, run="other")
    Journal(path).write(1, loss=2.0)  # as before runs had names
    one.write(2, loss=1.0)
    one.cut(9)
    assert one.read() == Journal(path).read() == [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1}]
    for attempt in (other.read, lambda: other.cut(9)):
        with pytest.raises(ValueError, match=r"journal\.jsonl, line 1, is of another run, one"):
            attempt()


def test_the_mirror_is_told(tmp_path):
    told = []
    Journal(tmp_path / "journal.jsonl", lambda *line: told.append(line)).write(4, loss=0.5)
    assert told == [(4, {"loss": 0.5})]
