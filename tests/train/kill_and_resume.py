"""Trains a tiny run in child processes that are killed and resumed; used by test_resume.py.

    python kill_and_resume.py FOLDER KILLS

SIGKILL, SIGTERM and a limit on the size of files, which stands for a full disk, take turns. Every
other run adapts in rounds, labelling the target after steps 8 and 16, and is struck inside them and
between. The modules are imported once; every training runs in a fork of this process, which has not
yet started JAX. Prints one JSON line: how many blows struck, and how many trainings they struck.
"""

import io
import json
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import tiny  # noqa: F401 - the encoder "tiniest"
from rich.console import Console

from rdepth_keras import run
from rdepth_keras.adapt import CBST, SourceOnly
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.experiment import (
    Augmentation,
    Choice,
    Experiment,
    Optimizers,
    Resources,
    Training,
)
from rdepth_keras.infer import Inference
from rdepth_keras.models import Twin
from rdepth_keras.optimizers import AdamW
from rdepth_keras.train.devices import keep_compilations
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.loop import Cadence
from rdepth_keras.train.signals import Interrupted

FULL_DISK = 0
BLOWS = (signal.SIGKILL, signal.SIGTERM, FULL_DISK)
LIMIT_BYTES = 2000  # the journal soon, a checkpoint at once
STEPS = 24
LAST_STRUCK = STEPS - 2


def experiment(seed: int) -> Experiment:
    return Experiment(
        "demo",
        data=Demo(train_tiles=4, val_tiles=2, tile_pixels=64),
        network=Twin("tiniest", depth_encoder=None, decoder="segformer", channels=8),
        method=CBST(start=1 / 3, every=1 / 3, share=0.5) if seed % 2 else SourceOnly(),
        optimizers=Optimizers(AdamW(learning_rate=1e-3)),
        training=Training(
            weights="none",
            steps=STEPS,
            batch_size=2,
            crop=32,
            seed=seed,
            choice=Choice("best", validation_steps=12, average_decay=0.9),
            augmentation=Augmentation(crop_redraws=1),
            inference=Inference(window_pixels=64),
        ),
        resources=Resources(cadence=Cadence(log_steps=1, checkpoint_steps=10, keep_checkpoints=3)),
    )


def train(directory: Path, seed: int) -> int:
    """One training in a fork; returns the child's process id."""
    if child := os.fork():
        return child
    code = 1
    try:
        keep_compilations()
        quiet = Console(file=io.StringIO())
        own = run.Run(directory)
        (run.resume if own.begun else run.start)(experiment(seed), own, quiet)
        code = 0
    except Interrupted as stop:
        code = 128 + stop.signal_number
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def main(folder: Path, kills: int) -> None:
    dice = random.Random(0)
    struck, seed = 0, -1
    while struck < kills:
        seed += 1
        finish(train(folder / f"whole{seed}", seed))
        directory = folder / f"killed{seed}"
        # Beyond what the journal holds, so that the child is in its loop by then.
        while struck < kills and steps_done(directory) < LAST_STRUCK:
            step = dice.randint(steps_done(directory) + 1, LAST_STRUCK)
            strike(train(directory, seed), directory, step, BLOWS[struck % 3])
            struck += 1
        finish(train(directory, seed))
    print(json.dumps({"struck": struck, "seeds": seed + 1}))


def steps_done(directory: Path) -> int:
    return max((entry["step"] for entry in Journal(directory / "journal.jsonl").read()), default=0)


def finish(child: int) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, code


def strike(child: int, directory: Path, step: int, blow: int) -> None:
    """Strikes once the journal has come to the step; the child must end as the blow wants it."""
    while steps_done(directory) < step:
        time.sleep(0.02)
        assert os.waitpid(child, os.WNOHANG) == (0, 0), f"ended before step {step}"
    if blow == FULL_DISK:
        hard = resource.prlimit(child, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(child, resource.RLIMIT_FSIZE, (LIMIT_BYTES, hard))
    else:
        os.kill(child, blow)
    expected = {FULL_DISK: 1, signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143}[blow]
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == expected, (code, expected)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
