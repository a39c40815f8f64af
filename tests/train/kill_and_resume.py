"""Trains a tiny run in child processes that are killed and resumed; used by test_resume.py.

    python kill_and_resume.py FOLDER KILLS

SIGKILL, SIGTERM and a limit on the size of files, which stands for a full disk, take turns. The
modules are imported once; every training runs in a fork of this process, which has not yet started
JAX. Prints one JSON line: how many blows struck a training that was still going on.
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
from rdepth_keras.experiment import Augmentation, Demo, Experiment, Segmenter
from rdepth_keras.infer import Inference
from rdepth_keras.train.devices import keep_compilations
from rdepth_keras.train.loop import Cadence
from rdepth_keras.train.optimizers import AdamW
from rdepth_keras.train.signals import Interrupted

FULL_DISK = 0
BLOWS = (signal.SIGKILL, signal.SIGTERM, FULL_DISK)
LIMIT_BYTES = 2000  # the journal soon, a checkpoint at once


def experiment(seed: int) -> Experiment:
    return Experiment(
        "demo",
        dataset="demo",
        weights="none",
        steps=24,
        batch_size=2,
        crop=32,
        seed=seed,
        segmenter=Segmenter(image_encoder="tiniest", depth_encoder="tiniest", channels=8),
        optimizer=AdamW(learning_rate=1e-3),
        augmentation=Augmentation(crop_tries=2),
        inference=Inference(window_pixels=64),
        cadence=Cadence(log_steps=1, checkpoint_steps=7, keep_checkpoints=3, validation_steps=8),
        demo=Demo(train_tiles=4, val_tiles=2, tile_pixels=64),
        selection="best",
        average_decay=0.9,
    )


def train(directory: Path, seed: int) -> int:
    """One training in a fork; returns the child's process id."""
    if child := os.fork():
        return child
    code = 1
    try:
        keep_compilations()
        quiet = Console(file=io.StringIO())
        begun = (directory / "experiment.json").exists()
        (run.resume if begun else run.start)(experiment(seed), directory, quiet)
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
    while struck < kills and seed < 3 * kills:
        seed += 1
        finish(train(folder / f"whole{seed}", seed))
        lines = (folder / f"whole{seed}" / "journal.jsonl").read_text().count("\n")
        for _ in range(min(4, kills - struck)):
            child = train(folder / f"killed{seed}", seed)
            if not strike(
                child, folder / f"killed{seed}", dice.randrange(lines), BLOWS[struck % 3]
            ):
                break
            struck += 1
        finish(train(folder / f"killed{seed}", seed))
    print(json.dumps({"struck": struck, "seeds": seed + 1}))


def finish(child: int) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, code


def strike(child: int, directory: Path, lines: int, blow: int) -> bool:
    """Strikes once the journal has so many lines; False if the run ended before."""
    journal = directory / "journal.jsonl"
    while not journal.exists() or journal.read_text().count("\n") < lines:
        time.sleep(0.02)
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return False
    if blow == FULL_DISK:
        hard = resource.prlimit(child, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(child, resource.RLIMIT_FSIZE, (LIMIT_BYTES, hard))
        expected = (1,)
    else:
        os.kill(child, blow)
        expected = (-blow, 128 + blow)  # before the loop there is nothing to save
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 0:
        return False
    assert code in expected, code
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
