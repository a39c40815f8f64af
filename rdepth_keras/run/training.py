"""Starting a run and going on with one."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from rdepth_keras.assembly import Sources, inference_network, target_batches
from rdepth_keras.experiment import Experiment, differences, in_words, to_json
from rdepth_keras.infer import tile_predictor
from rdepth_keras.run.checks import check_extension
from rdepth_keras.run.directory import Run, foreign
from rdepth_keras.run.effects import check_effects
from rdepth_keras.run.ending import score_the_end
from rdepth_keras.run.preparation import Prepared, Watch, check_watch, prepare
from rdepth_keras.run.surroundings import VERSIONS, located, settled
from rdepth_keras.run.validation import validation
from rdepth_keras.train.board import Board
from rdepth_keras.train.devices import check_hosts, wait_for_hosts
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.lock import check_free, lock
from rdepth_keras.train.loop import run_steps
from rdepth_keras.train.progress import TrainingProgress
from rdepth_keras.train.rounds import Rounds


def start(
    experiment: Experiment, run: Run, console: Console, watch: Watch = Watch()
) -> dict[str, Any] | None:
    """Trains a new run; returns its scores on the target's validation split.

    With the settings of an extended run all its steps are one schedule, which is told.

    Raises:
        FileExistsError: if its directory already holds something.
        RuntimeError: if another process trains in it.
    """
    check_free(run.directory)
    if run.occupied:
        raise FileExistsError(
            f"{run} already holds a run or other files. Choose another --out, or go on with it: "
            f"--resume --out {run}"
        )
    wait_for_hosts("looked into the run directory")  # before the first of them writes into it
    check_effects(experiment)
    if ends := experiment.training.extended_at:
        console.print(
            f"{experiment.training.steps} steps at once; not the run that was extended after "
            f"{' and '.join(map(str, ends))}"
        )
        experiment = experiment.changed(training={"extended_at": ()})
    return _train(settled(experiment), run, console, watch, begins=True)


def resume(
    experiment: Experiment, run: Run, console: Console, watch: Watch = Watch()
) -> dict[str, Any] | None:
    """Goes on with the run from its last whole checkpoint; returns as :func:`start`.

    Other resources are no other experiment. A run that has come to its end may be given more
    steps; that its schedule began anew there stays with it.

    Raises:
        FileNotFoundError: if the directory holds no run.
        ValueError: if the experiment is not the run's own, naming each difference.
    """
    check_free(run.directory)
    experiment = settled(experiment)
    changed = changes(run, experiment)
    more, said = experiment.training.steps - run.experiment.training.steps, ""
    if list(changed) == ["training.steps"] and more > 0 and run.metrics is not None:
        experiment, said = _extended(experiment, run.experiment.training.steps)
    elif changed:
        raise ValueError(
            f"The run in {run} has other settings; leave these away to resume it, or start a new "
            f"run: {'; '.join(in_words(changed))}"
        )
    return _train(experiment, run, console, watch, begins=False, said=said)


def changes(run: Run, experiment: Experiment) -> dict[str, tuple[Any, Any]]:
    """What a settled experiment would change in the results of a run, see :func:`differences`.

    Raises FileNotFoundError where there is no run.
    """
    return differences(located(run.experiment).essence(), experiment.essence())


def _extended(experiment: Experiment, done: int) -> tuple[Experiment, str]:
    """The experiment with more steps after its end, which it then remembers; and that in words."""
    optimizer, steps = experiment.optimizers.segmenter, experiment.training.steps
    before, after = map(
        float, jax.device_get((optimizer.rate(done)(done - 1), optimizer.rate(steps)(done)))
    )
    said = (
        f"extended from {done} to {steps} steps: the learning rate goes on with "
        f"{after:.3g} where it had come to {before:.3g}; not the run that {steps} "
        "steps at once would have given"
    )
    ends = (*experiment.training.extended_at, done)
    return experiment.changed(training={"extended_at": ends}), said


def _train(
    experiment: Experiment,
    run: Run,
    console: Console,
    watch: Watch,
    *,
    begins: bool,
    said: str = "",
) -> dict[str, Any] | None:
    """Both: a run without a checkpoint begins at step 0. ``said`` is told if nothing is refused."""
    prepared = prepare(experiment, run, console, watch)
    if said:
        console.print(said)
    names = ("files", "weights", "random_numbers", *VERSIONS)
    noted = {name: prepared.surroundings[name] for name in names}
    told = f"{to_json(experiment.essence())} {json.dumps(noted, sort_keys=True)}"
    # From here on none still looks at a directory that another writes into.
    check_hosts("settings, data or versions", told)
    with lock(run.directory):
        if begins:  # before there is any other file: so a kill leaves a run to go on with
            _note(experiment, prepared, run, 0)
        _train_steps(experiment, prepared, run, console, watch)
        return score_the_end(run, prepared.data, console)


def _note(experiment: Experiment, prepared: Prepared, run: Run, done: int) -> None:
    """Writes what the run is and where it goes on; every host reads it from here on."""
    if jax.process_index() == 0:
        run.begin(experiment)
        run.note_environment(prepared.surroundings, done)
    wait_for_hosts("the run has begun")


def _train_steps(
    experiment: Experiment, prepared: Prepared, run: Run, console: Console, watch: Watch
) -> None:
    training, cadence = experiment.training, experiment.resources.cadence
    state, batches = prepared.assembly.state, prepared.batches
    first = jax.process_index() == 0
    checkpoints = run.checkpoints(once(console.print), cadence.keep_checkpoints)
    step = checkpoints.latest_step()  # None also where a kill cut the first save
    check_extension(experiment, run, step or 0)
    if step is not None:
        try:
            state, places = checkpoints.restore(state)
        except (TypeError, KeyError, ValueError) as error:  # of Orbax, in its own terms
            raise foreign(run, step, error) from error
        for domain, iterator in batches.items():
            iterator.set_state(places[domain])
        console.print(f"resumed at step {int(state.step)}")
    done = int(state.step)
    check_watch(watch, training.steps - done)
    _note(experiment, prepared, run, done)  # only now: an extension that is refused is none
    board = Board(run.directory / "tensorboard", done) if watch.tensorboard and first else None
    journal = run.journal_with(board and board.scalars)
    if first:
        journal.cut(done)
    validated = prepared.validated
    if done < training.steps and not console.is_terminal:  # where a bar shows that it goes on
        console.print("Compiling the step: the first one takes longest")
    with TrainingProgress(console, training.steps, 10 * cadence.log_steps) as progress:
        run_steps(
            state,
            prepared.assembly.step,
            batches,
            steps=training.steps,
            mesh=prepared.assembly.mesh,
            cadence=cadence,
            validation_steps=training.choice.validation_steps,
            checkpoints=checkpoints,
            journal=journal,
            progress=progress,
            learning_rate=experiment.optimizers.segmenter.rate(training.steps),
            rounds=rounds_of(
                experiment, prepared.sources, run.labels, console.print, run.identity, journal
            ),
            validate=validation(experiment, validated, run, journal, board, console, done),
            profile=run.directory / "profile" if watch.profile else None,
        )
    checkpoints.close()


def once(notify: Callable[[str], None]) -> Callable[[str], None]:
    """Tells each line the first time alone."""
    said: set[str] = set()

    def tell(line: str) -> None:
        if line not in said:
            said.add(line)
            notify(line)

    return tell


def rounds_of(
    experiment: Experiment,
    sources: Sources,
    folder: Path,
    tell: Callable[[str], None],
    identity: str = "",
    journal: Journal | None = None,
) -> Rounds | None:
    """What labels the target anew, for a method that does; ``folder`` is where the labels go."""
    method, steps = experiment.method, experiment.training.steps
    if sources.target is None or not method.rounds(steps):
        return None
    return Rounds(
        method,
        steps,
        folder,
        sources.target,
        tile_predictor(inference_network(experiment), method.labelling),
        partial(target_batches, experiment),
        tell,
        identity,
        experiment.training.extended_at,
        journal,
    )
