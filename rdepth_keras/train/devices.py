"""What the computation runs on: one device, many, or many hosts."""

import ctypes
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

COMPILED = "/jax/core/compile/backend_compile_duration"  # JAX's event
Precision = Literal["auto", "float32", "mixed_bfloat16"]


@dataclass(frozen=True)
class Hosts:
    """The hosts of one training, each running the same command.

    Attributes:
        coordinator: address and port of the first host, e.g. "10.0.0.1:1234"; None takes it from
            JAX_COORDINATOR_ADDRESS, and without that, trains on this host alone.
        count: number of hosts; None takes it from JAX_NUM_PROCESSES.
        index: number of this host, from 0; None takes it from JAX_PROCESS_ID.
        auto: asks the cluster for all three, where JAX recognises one: SLURM, Open MPI, Kubernetes,
            Cloud TPU.
    """

    coordinator: str | None = None
    count: int | None = None
    index: int | None = None
    auto: bool = False

    def __post_init__(self):
        if self.auto and (self.coordinator, self.count, self.index) != (None, None, None):
            raise ValueError(
                "--hosts.auto asks the cluster; leave --hosts.coordinator, --hosts.count and "
                "--hosts.index away, or leave --hosts.auto away."
            )


def join_hosts(hosts: Hosts) -> None:
    """Connects to the other hosts, if there are any; before anything else touches a device.

    Raises ValueError where they are not told, or where ``auto`` finds no cluster.
    """
    if hosts.auto:
        return _join_cluster()
    coordinator = hosts.coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
    if coordinator is None:
        if hosts.count is not None or hosts.index is not None:
            raise ValueError(
                "Several hosts need the first one's address: add --hosts.coordinator ADDRESS:PORT."
            )
        return
    count, index = (
        given if given is not None else os.environ.get(name)
        for given, name in ((hosts.count, "JAX_NUM_PROCESSES"), (hosts.index, "JAX_PROCESS_ID"))
    )
    if count is None or index is None:
        raise ValueError(
            "Several hosts need their number and this host's own: --hosts.count and "
            "--hosts.index, or JAX_NUM_PROCESSES and JAX_PROCESS_ID."
        )
    jax.distributed.initialize(coordinator, int(count), int(index))


def _join_cluster() -> None:
    try:
        jax.distributed.initialize()
    except ValueError as error:
        raise ValueError(
            f"--hosts.auto found no cluster that JAX recognises ({error}). Start the command by "
            "srun, mpirun or in a Kubernetes job, or tell the hosts with --hosts.coordinator, "
            "--hosts.count and --hosts.index."
        ) from error


def wait_for_hosts(reason: str) -> None:
    """Returns once every host is here; at once where there is only one."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(reason)


def check_hosts(what: str, told: str) -> None:
    """Raises ValueError, on every host, unless all of them tell the same; returns once all have."""
    if jax.process_count() == 1:
        return
    own = np.frombuffer(blake2b(told.encode(), digest_size=16).digest(), np.uint32)
    others = multihost_utils.process_allgather(own)
    if different := np.flatnonzero((others != others[0]).any(-1)).tolist():
        raise ValueError(
            f"The hosts have different {what}: not as the first one are those of index "
            f"{', '.join(map(str, different))}. Give all the same command, and the same files."
        )


def any_host(flag: bool) -> bool:
    """Whether the flag is set on any host; a meeting of all hosts where there are several."""
    if jax.process_count() == 1:
        return flag
    return bool(multihost_utils.process_allgather(np.array(flag)).any())


def compute_dtype(precision: Precision) -> str:
    """Keras dtype policy: ``"auto"`` is mixed bfloat16 on an accelerator, float32 on a CPU."""
    if precision != "auto":
        return precision
    return "float32" if jax.default_backend() == "cpu" else "mixed_bfloat16"


def keep_compilations() -> None:
    """Keeps compiled programs on disk, so that the same one need not be compiled again.

    The folder is ``JAX_COMPILATION_CACHE_DIR`` where that is set, else ``rdepth_keras/xla`` in the
    user's cache folder.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR", str(cache / "rdepth_keras" / "xla"))
    jax.config.update("jax_compilation_cache_dir", folder)


def free_after_compiling() -> None:
    """What compiling took goes back to the system before the program takes memory of its own.

    glibc would keep it: 0.8 of the 4.0 GB that a training of ConvNeXt-T takes at most on a CPU.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None

    def free(event: str, duration_secs: float, **_) -> None:
        if trim and event == COMPILED and duration_secs > 1:
            trim(0)

    jax.monitoring.register_event_duration_secs_listener(free)


def data_mesh(tiles: int | None = None) -> Mesh:
    """All devices of all hosts along one axis, ``data``.

    Where ``tiles`` of a batch that go through together are given, and do not split evenly over the
    devices of a single host, as many devices as they do split over: tiles made up to fill the rest
    would change the statistics of batch norm.
    """
    devices = jax.devices()
    if tiles is not None and jax.process_count() == 1:
        most = max(count for count in range(1, len(devices) + 1) if tiles % count == 0)
        devices = devices[:most]
    return Mesh(np.array(devices), ("data",))


def local_mesh() -> Mesh:
    """All devices of this host along one axis, ``data``."""
    return Mesh(np.array(jax.local_devices()), ("data",))


def replicated(mesh: Mesh) -> NamedSharding:
    """The placement of what every device holds as a whole."""
    return NamedSharding(mesh, PartitionSpec())


def shard_batch(batch: Mapping[str, Any], mesh: Mesh) -> dict[str, jax.Array]:
    """This host's part of a batch -> global arrays, split over all devices along the first axis.

    All arrays but the ids, which stay on the host.
    """
    placement = NamedSharding(mesh, PartitionSpec("data"))
    return {
        name: jax.make_array_from_process_local_data(placement, np.asarray(array))
        for name, array in batch.items()
        if name != "id"
    }


def check_batch_size(batch_size: int, parts: int) -> None:
    """Raises ValueError unless the batch splits evenly into parts, and over several hosts."""
    devices = jax.device_count() if jax.process_count() > 1 else 1
    if batch_size % (devices * parts):
        raise ValueError(
            f"A batch of {batch_size} does not split evenly over {devices} device(s) in {parts} "
            f"part(s). Use a multiple of {devices * parts} for --batch-size."
        )


def unused_gpu_warning() -> str | None:
    """What to say where the machine has an NVIDIA GPU and JAX cannot use it, else None."""
    if jax.default_backend() != "cpu" or shutil.which("nvidia-smi") is None:
        return None
    return (
        "WARNING: this machine has an NVIDIA GPU, but JAX was installed for the CPU only and "
        "training would be slower by orders of magnitude. Mend it with: "
        "pip install -U 'jax[cuda12]'"
    )


def memory_in_use() -> str | None:
    """Peak memory of the first device in words, or None where the platform does not tell."""
    statistics: Any = jax.local_devices()[0].memory_stats()
    if not statistics or "peak_bytes_in_use" not in statistics:
        return None
    return f"{statistics['peak_bytes_in_use'] / 2**30:.1f} GiB"


def describe() -> str:
    """The devices in words, e.g. ``1 x cpu (cpu), 1 host``."""
    devices, hosts = jax.devices(), jax.process_count()
    kind = f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})"
    return f"{kind}, {hosts} host{'s' if hosts > 1 else ''}"
