"""Our side of a comparison: ``python -m benchmark.ours NAME CASE FOLDER``, see ``serving``.

It draws the weights, which the other side reads from ``weights.npz`` in the folder. The depth
network is the other way round: where the folder has a checkpoint, it is read.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmark.case import LEARNING_RATE, WEIGHT_DECAY, Case, draw_inputs, draw_pixels
from benchmark.serving import Measured, serve
from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.assembly.networks import inference_network
from rdepth_keras.assembly.training import assemble
from rdepth_keras.counting import count
from rdepth_keras.experiment import Experiment, Optimizers, Training
from rdepth_keras.infer import Inference, tile_predictor
from rdepth_keras.models import Twin
from rdepth_keras.optimizers import AdamW, Schedule
from rdepth_keras.train.devices import (
    compute_dtype,
    free_after_compiling,
    replicated,
    shard_batch,
)

Variables = Mapping[str, Any]


def experiment(case: Case) -> Experiment:
    """The training that a case stands for: a constant rate, the same for all variables."""
    constant = Schedule(warmup_fraction=0.0, power=0.0)
    adamw = AdamW(LEARNING_RATE, constant, weight_decay=WEIGHT_DECAY, stage_decay=1.0)
    return Experiment(
        "bench",
        network=Twin(**(case.network or {})),
        optimizers=Optimizers(adamw),
        training=Training(weights="none", batch_size=case.batch, crop=case.pixels),
    )


def step(case: Case, folder: Path) -> Measured:
    """Training steps on one batch, compiled at the first."""
    assembly = assemble(experiment(case))
    params, buffers = (variables[SEGMENTER] for variables in assembly.state[1:3])
    params, buffers = draw_weights(params, buffers, folder)
    placed = jax.device_put(({SEGMENTER: params}, {SEGMENTER: buffers}), replicated(assembly.mesh))
    state = assembly.state.with_params(placed[0])._replace(buffers=placed[1])
    source = shard_batch(draw_inputs(case), assembly.mesh)
    one: Any = assembly.step  # alone: the assembly would keep the params of before
    program: Any = None
    free_after_compiling()

    def run():
        nonlocal state, program
        if program is None:
            program = one.func.lower(state, source, None, **one.keywords).compile()
        state, logs = program(state, source, None, **one.keywords)
        return jax.block_until_ready((state, logs))[1]

    def check(first):
        moved = {path: np.array(value) for path, value in state.buffers[SEGMENTER].items()}
        return {**moved, **_scalars(first, 1), **_scalars(run(), 2)}

    def finish():
        used = program.memory_analysis()
        return {"temporary_bytes": used.temp_size_in_bytes, **_counts(case), **_device_memory()}

    return Measured(run, check, _facts(), finish)


def infer(case: Case, folder: Path) -> Measured:
    """Predictions of one tile: bytes in, logits (H, W, classes) out."""
    network = inference_network(experiment(case))
    params, buffers = draw_weights(*network.init(), folder)
    predict = tile_predictor(network, Inference(window_pixels=case.window))
    tile: Any = {name: array[0] for name, array in draw_inputs(case).items()} | {"id": "0"}

    def run():
        return predict(params, buffers, tile)

    def check(first):
        run()
        return {"logits": first}

    return Measured(run, check, _facts(), lambda: {**_counts(case), **_device_memory()})


def depth(case: Case, folder: Path) -> Measured:
    """Depth Anything ViT-S on one prepared image."""
    from rdepth_keras.depth.estimator import DepthEstimator, build_backbone, load_estimator

    if (folder / "depth").is_dir():
        estimator = load_estimator(folder / "depth", precision=compute_dtype("auto"))
    else:
        encoder = {"hidden_size": 384, "num_attention_heads": 6, "image_size": case.pixels}
        config = {"backbone_config": {**encoder, "out_indices": [9, 10, 11, 12]}}
        precision = compute_dtype("auto")
        estimator = DepthEstimator(build_backbone(config, precision), precision=precision)
    pixels = draw_pixels(case)

    def run():
        return estimator.estimate(pixels, (case.pixels, case.pixels))

    def check(first):
        run()
        return {"depth": first}

    return Measured(run, check, _facts(), _device_memory)


def draw_weights(params: Variables, buffers: Variables, folder: Path):
    """(params, buffers) away from what new networks have, where a swapped bias goes unseen.

    Also writes them to ``weights.npz``, path -> array.
    """
    generator = np.random.RandomState(0)

    def draw(path, value):
        value = np.asarray(value, np.float32)
        if value.ndim > 1:
            return value
        noise = 0.1 * generator.standard_normal(value.shape).astype(np.float32)
        return value * np.exp(noise) if path.endswith(("gamma", "variance")) else value + noise

    drawn = [{path: draw(path, own[path]) for path in sorted(own)} for own in (params, buffers)]
    np.savez(folder / "weights.npz", **drawn[0], **drawn[1])  # pyright: ignore[reportArgumentType]
    return tuple(jax.tree.map(jax.numpy.asarray, own) for own in drawn)


def _scalars(logs: Mapping[str, Any], number: int) -> dict[str, np.ndarray]:
    # AdamW's first change is the gradient's sign, also where that is rounding: the losses after it
    # agree, the gradient's norm does not.
    left = {"finite"} if number == 1 else {"finite", "gradient_norm"}
    return {f"{n} of step {number}": np.asarray(logs[n]) for n in logs.keys() - left}


def _facts() -> dict[str, Any]:
    device = jax.local_devices()[0]
    kind = "cpu" if device.platform == "cpu" else device.device_kind
    return {"device": kind, "version": f"jax {jax.__version__}", "precision": compute_dtype("auto")}


def _counts(case: Case) -> dict[str, int]:
    counted = count("twin", case.pixels, **(case.network or {}))
    return {"multiply_adds": counted.multiply_adds, "parameters": counted.parameters}


def _device_memory() -> dict[str, int]:
    statistics = jax.local_devices()[0].memory_stats() or {}
    peak = statistics.get("peak_bytes_in_use")
    return {} if peak is None else {"device_peak_bytes": peak}


def main(name: str, text: str, folder: Path) -> None:
    case = Case.from_json(text)
    prepare = {"step": step, "infer": infer, "depth": depth}[case.kind]
    serve(prepare(case, folder), folder / f"{name}.npz")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
