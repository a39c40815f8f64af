"""The training step, compiled for GPUs that are not there: shapes in, the real program out.

Runs in a process of its own (:mod:`rdepth_keras.plan.apart`), since what it needs of the
environment must be there before JAX is imported.
"""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
from jax.experimental import topologies
from jax.sharding import Mesh

from rdepth_keras.adapt.method import SEGMENTER
from rdepth_keras.assembly.training import assemble_shapes, batch_shapes
from rdepth_keras.experiment import Experiment, from_json
from rdepth_keras.plan.apart import Compiled
from rdepth_keras.plan.devices import DEVICES, Device
from rdepth_keras.train.devices import check_batch_size


def compile_step(experiment: Experiment, device: Device, count: int) -> Compiled:
    """The experiment's step for so many GPUs of one host, which share each batch.

    Raises ValueError where the batch does not split, or the network cannot be built so.
    """
    check_batch_size(experiment.training.batch_size, experiment.resources.economy.accumulate)
    start, mesh = time.perf_counter(), gpu_mesh(device, count)
    assembly = assemble_shapes(experiment, mesh)
    step: Any = assembly.step
    lowered = step.func.lower(assembly.state, *batch_shapes(experiment, mesh), **step.keywords)
    middle = time.perf_counter()
    compiled = lowered.compile()
    end, memory = time.perf_counter(), compiled.memory_analysis()
    return Compiled(
        parameters=sum(leaf.size for leaf in jax.tree.leaves(assembly.state.params[SEGMENTER])),
        argument_bytes=memory.argument_size_in_bytes,
        temporary_bytes=memory.temp_size_in_bytes,
        peak_bytes=memory.peak_memory_in_bytes,
        lowering_seconds=middle - start,
        compile_seconds=end - middle,
        text=compiled.as_text(),
    )


def gpu_mesh(device: Device, count: int) -> Mesh:
    """As many GPUs of one host along the axis ``data``, none of which need exist."""
    topology = topologies.get_topology_desc(
        platform="cuda", target_config=device.target, topology=f"1x1x{count}"
    )
    return topologies.make_mesh(topology, (count,), ("data",))


def main(result: Path) -> None:
    """Reads what to compile from the standard input, and writes what came out into the file."""
    asked = json.load(sys.stdin)
    experiment = from_json(json.dumps(asked["experiment"]))
    try:
        found = asdict(compile_step(experiment, DEVICES[asked["device"]], asked["count"]))
    except ValueError as error:
        found = {"refused": str(error)}
    result.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
