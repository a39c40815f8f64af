"""The lower bound, by hand."""

import pytest

from rdepth_keras.plan.bound import Tally, grouped, layer, tally, total
from rdepth_keras.plan.devices import DEVICES
from rdepth_keras.plan.kernels import Kernel

H200 = DEVICES["h200"]


def kernel(nbytes=0, operations=0, precision="bfloat16", times=1, kind="others", operation=""):
    return Kernel("k", "fusion", kind, operation, times, nbytes, operations, precision)


def test_a_kernel_takes_the_larger_of_bytes_and_operations():
    assert tally(kernel(nbytes=4_800_000), H200).seconds == pytest.approx(1e-6)
    assert tally(kernel(operations=989_400_000), H200).seconds == pytest.approx(1e-6)
    assert tally(kernel(4_800_000, 2 * 989_400_000), H200).seconds == pytest.approx(2e-6)
    assert tally(kernel(operations=66_900_000, precision="float32"), H200).seconds == (
        pytest.approx(1e-6)
    )


def test_kernels_run_one_after_the_other_and_loops_repeat_them():
    found = total([kernel(4_800_000, times=3), kernel(0, 989_400_000)], H200)
    assert found == Tally(4, 14_400_000, 989_400_000, pytest.approx(4e-6))


def test_collectives_take_no_time_of_the_bound():
    found = tally(kernel(4_800_000, kind="collectives"), H200)
    assert found == Tally(1, 4_800_000, 0, 0.0)


def test_groups_come_by_their_bytes():
    found = grouped(
        [kernel(1, kind="copies"), kernel(2, kind="sums"), kernel(3, kind="copies")],
        H200,
        lambda one: one.kind,
    )
    assert [(name, group.kernels, group.nbytes) for name, group in found.items()] == [
        ("copies", 2, 4),
        ("sums", 1, 2),
    ]


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ("jit(step)/add", "step"),
        ("", "unnamed"),
        ("jit(step)/transpose(jvp(jit(_resize)))/dot_general", "_resize backward"),
        (
            "jit(step)/transpose(jvp(depth_encoder))/while/body/closed_call/stage1_block1/scale/mul",
            "depth_encoder backward/stage1/scale",
        ),
        (
            "jit(step)/jvp(image_encoder)/stage3_block12/norm/mul",
            "image_encoder forward/stage3/norm",
        ),
        (
            "jit(step)/transpose(jvp(decoder))/fuse/conv/cond/branch_0_fun/conv_general_dilated",
            "decoder backward/fuse/conv",
        ),
    ],
)
def test_blocks_of_a_stage_are_one_layer(operation, said):
    assert layer(kernel(operation=operation)) == f"{said}, others"
