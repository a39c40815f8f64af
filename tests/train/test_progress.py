"""Lines in a log that nobody watches, by a clock that the test turns."""

import io
import re
from itertools import pairwise

import pytest
from rich.console import Console

from rdepth_keras.train.progress import LINE_SECONDS, TrainingProgress

VALUES = {"loss": 1.25, "learning_rate": 1e-4}


class Training:
    """Steps that take ``seconds`` each, after a first one that compiles for 100 s."""

    def __init__(self, steps, line_steps, seconds, first=1, terminal=False):
        self.now, self.out, said = 0.0, io.StringIO(), []
        console = Console(file=self.out, width=200, force_terminal=terminal)
        with TrainingProgress(console, steps, line_steps, lambda: self.now) as progress:
            for step in range(first, steps + 1):
                self.now += 100 if step == first else seconds
                before = len(self.out.getvalue())
                self.speed = progress.advance(step, 4, VALUES)
                if len(self.out.getvalue()) > before:
                    said.append((step, self.now))
                if step == first:
                    progress.restart_clock()
        self.said, self.lines = said, self.out.getvalue().splitlines()


@pytest.mark.parametrize("seconds", [0.7, 4.0, 45.0])
def test_a_log_is_never_silent_for_long(seconds):
    training = Training(200, 1000, seconds)
    times = [time for _, time in training.said]
    gaps = [late - early for early, late in pairwise(times)]
    assert max(gaps) < LINE_SECONDS + seconds
    assert len(training.lines) <= 200 * seconds / LINE_SECONDS + 3
    assert training.said[0][0] == 1 and training.said[-1][0] == 200


def test_quick_steps_speak_every_so_many():
    training = Training(100, 25, 0.01)
    assert [step for step, _ in training.said] == [1, 25, 50, 75, 100]


def test_the_time_left_leaves_out_compiling():
    lines = Training(101, 50, 2.0).lines
    assert re.fullmatch(r"step 1/101 loss 1.2500 rate 1.00e-04.*", lines[0])
    assert "images/s" not in lines[0] and "images/s" in lines[-1]
    assert "left" not in lines[0] and "left" not in lines[-1]
    halfway = next(line for line in lines if line.startswith("step 50/"))
    assert "2.0 images/s" in halfway and halfway.endswith("0:01:42 left")


def test_a_resumed_process_speaks_at_its_first_step():
    training = Training(60, 1000, 0.1, first=51)
    assert [step for step, _ in training.said] == [51, 60]
    assert "left" not in training.lines[0] and training.speed == pytest.approx(40)


def test_a_terminal_gets_a_bar_and_no_lines():
    training = Training(3, 1, 1.0, terminal=True)
    said = training.out.getvalue()
    assert "step 1/3" not in said and "3/3" in said
    assert "4.0 images/s" in said and "0.0 images/s" not in said, "the first step compiled"


def test_what_is_said_between():
    out = io.StringIO()
    with TrainingProgress(Console(file=out), 3, 1) as progress:
        progress.say("hello")
    assert "hello" in out.getvalue()
