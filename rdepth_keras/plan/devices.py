"""GPUs by their public figures, and what XLA has to know of one to compile for it."""

from dataclasses import dataclass
from typing import Literal

Name = Literal["h200", "h100", "a100", "l40s", "rtx4090"]


@dataclass(frozen=True)
class Rates:
    """Peak operations a second, two for a multiply-add, without sparsity, sums in float32.

    Attributes:
        bfloat16: products of bfloat16 or float16 numbers on tensor cores.
        tf32: products of float32 numbers on tensor cores, which see 10 bits of their mantissa.
        float32: float32 in full, beside the tensor cores.
    """

    bfloat16: float
    tf32: float
    float32: float


@dataclass(frozen=True)
class Device:
    """A GPU.

    Attributes:
        title: what CUDA calls it.
        memory_bytes: what CUDA reports, a little less than the data sheet's.
        bandwidth: of that memory, bytes a second.
        rates: of its arithmetic.
        capability: compute capability, (major, minor).
        multiprocessors: of the whole chip.
        clock_ghz: boost clock.
        lanes: float32 units of a multiprocessor.
        threads: most of a multiprocessor.
        l2_bytes: of the second cache.
        shared_bytes: of a multiprocessor.
        source: where the figures are published.
    """

    title: str
    memory_bytes: int
    bandwidth: float
    rates: Rates
    capability: tuple[int, int]
    multiprocessors: int
    clock_ghz: float
    lanes: int
    threads: int
    l2_bytes: int
    shared_bytes: int
    source: str

    @property
    def target(self) -> str:
        """XLA's ``GpuTargetConfigProto`` as text."""
        major, minor = self.capability
        return f"""
gpu_device_info {{
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_block_optin: {self.shared_bytes - 1024}
  shared_memory_per_core: {self.shared_bytes}
  threads_per_core_limit: {self.threads}
  core_count: {self.multiprocessors}
  fpus_per_core: {self.lanes}
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: {self.bandwidth:.0f}
  l2_cache_size: {self.l2_bytes}
  clock_rate_ghz: {self.clock_ghz}
  device_memory_size: {self.memory_bytes}
  cuda_compute_capability {{ major: {major} minor: {minor} }}
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 8 }}
runtime_version {{ major: 12 minor: 9 patch: 0 }}
device_description_str: "{self.title}"
"""


_HOPPER = Rates(bfloat16=989.4e12, tf32=494.7e12, float32=66.9e12)
DEVICES: dict[Name, Device] = {
    "h200": Device(
        "NVIDIA H200",
        memory_bytes=150_754_820_096,
        bandwidth=4.8e12,
        rates=_HOPPER,
        capability=(9, 0),
        multiprocessors=132,
        clock_ghz=1.98,
        lanes=128,
        threads=2048,
        l2_bytes=60 << 20,
        shared_bytes=228 << 10,
        source="nvidia.com/en-us/data-center/h200, SXM; H100 Tensor Core GPU architecture paper",
    ),
    "h100": Device(
        "NVIDIA H100 80GB HBM3",
        memory_bytes=84_929_347_584,
        bandwidth=3.35232e12,
        rates=_HOPPER,
        capability=(9, 0),
        multiprocessors=132,
        clock_ghz=1.98,
        lanes=128,
        threads=2048,
        l2_bytes=50 << 20,
        shared_bytes=228 << 10,
        source="nvidia.com/en-us/data-center/h100, SXM; H100 Tensor Core GPU architecture paper",
    ),
    "a100": Device(
        "NVIDIA A100-SXM4-80GB",
        memory_bytes=84_987_740_160,
        bandwidth=2.039e12,
        rates=Rates(bfloat16=312e12, tf32=156e12, float32=19.5e12),
        capability=(8, 0),
        multiprocessors=108,
        clock_ghz=1.41,
        lanes=64,
        threads=2048,
        l2_bytes=40 << 20,
        shared_bytes=164 << 10,
        source="nvidia.com/en-us/data-center/a100, 80 GB SXM; architecture paper; memory unchecked",
    ),
    "l40s": Device(
        "NVIDIA L40S",
        memory_bytes=47_670_000_000,
        bandwidth=864e9,
        rates=Rates(bfloat16=362.05e12, tf32=183e12, float32=91.6e12),
        capability=(8, 9),
        multiprocessors=142,
        clock_ghz=2.52,
        lanes=128,
        threads=1536,
        l2_bytes=96 << 20,
        shared_bytes=100 << 10,
        source="nvidia.com/en-us/data-center/l40s; Ada paper; memory from users' reports",
    ),
    "rtx4090": Device(
        "NVIDIA GeForce RTX 4090",
        memory_bytes=25_380_000_000,
        bandwidth=1.008e12,
        rates=Rates(bfloat16=165.2e12, tf32=82.6e12, float32=82.6e12),
        capability=(8, 9),
        multiprocessors=128,
        clock_ghz=2.52,
        lanes=128,
        threads=1536,
        l2_bytes=72 << 20,
        shared_bytes=100 << 10,
        source="Ada GPU architecture paper, appendix A; memory from users' reports",
    ),
}
