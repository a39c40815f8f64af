"""Kernels, their bytes and operations, counted by hand."""

import pytest

from rdepth_keras.plan.hlo import parse
from rdepth_keras.plan.kernels import KINDS, Kernel, kernels


@pytest.fixture
def found(program) -> dict[str, Kernel]:
    return {kernel.name: kernel for kernel in kernels(parse(program))}


def test_what_is_launched_and_of_which_kind(found):
    assert {name: kernel.kind for name, kernel in found.items()} == {
        "added": "element-wise",
        "product": "matrix products",
        "conv": "convolutions",
        "filter": "convolutions",
        "sums": "reductions",
        "start": "collectives",
        "copied": "copies and casts",
        "slicing": "element-wise",
    }
    assert {kernel.kind for kernel in found.values()} <= set(KINDS)


def test_bytes_are_operands_and_result_without_scratch(found):
    assert found["added"].nbytes == 8 * 16 * (4 + 2 + 4)
    assert found["product"].nbytes == 2 * (8 * 16 + 16 * 4 + 8 * 4)
    assert found["conv"].nbytes == found["filter"].nbytes == 2 * (2 * 2 * 8 * 8 * 6 + 6 * 9)
    assert found["sums"].nbytes == 4 * (8 * 16 + 16)
    assert found["copied"].nbytes == 2 * 4 * 4 * 32


def test_a_loop_runs_its_kernels_as_often_and_slices_move_slices(found):
    """One row of 32 numbers is read and one written, in place; the turn's number, too."""
    assert found["slicing"].times == 4 and found["added"].times == 1
    assert found["slicing"].nbytes == 4 * 32 + 4 + 4 * 32


def test_operations_of_products_and_convolutions(found):
    assert found["product"].operations == 2 * 8 * 4 * 16
    # Depthwise: nine multiply-adds for each number of the map, forward and for the kernel.
    assert found["conv"].operations == found["filter"].operations == 2 * 9 * 2 * 8 * 8 * 6
    assert found["product"].precision == found["conv"].precision == "bfloat16"
    assert found["added"].operations == 0


def test_a_collective_counts_what_is_handed_over(found):
    assert found["start"].nbytes == 4 * 16 and found["start"].opcode == "all-reduce-start"


def only(line: str, *others: str) -> Kernel:
    """The one kernel of a program of a line, whose parameters are the others."""
    body = "\n".join(f"  %{other}" for other in (*others, line))
    text = f"HloModule m, is_scheduled=true\nENTRY %e (p: f32[]) -> f32[] {{\n{body}\n}}\n"
    (kernel,) = kernels(parse(text))
    return kernel


@pytest.mark.parametrize(
    ("dtype", "given", "precision"),
    [
        ("f32", "DEFAULT", "tf32"),
        ("f32", "HIGHEST", "float32"),
        ("f16", "DEFAULT", "bfloat16"),
        ("bf16", "HIGHEST", "bfloat16"),
    ],
)
def test_precision_of_a_product(dtype, given, precision):
    kernel = only(
        f"p = {dtype}[5,2,4]{{2,1,0}} custom-call(%a, %b), "
        'custom_call_target="__cublas$gemm$matmul", backend_config={"gemm_backend_config":'
        '{"dot_dimension_numbers":{"lhs_contracting_dimensions":["2"]},'
        f'"precision_config":{{"operand_precision":["{given}","{given}"]}}}}}}',
        f"a = {dtype}[5,2,3]{{2,1,0}} parameter(0)",
        f"b = {dtype}[5,3,4]{{2,1,0}} parameter(1)",
    )
    assert kernel.precision == precision
    assert kernel.operations == 2 * 5 * 2 * 3 * 4


def test_the_input_gradient_costs_what_the_convolution_did():
    """Stride 2: a 4 x 4 cotangent of 5 channels, from an 8 x 8 map of 3."""
    kernel = only(
        "c = (f32[1,8,8,3]{3,2,1,0}, u8[64]{0}) custom-call(%a, %b), window={size=2x2 stride=2x2}, "
        'dim_labels=b01f_o01i->b01f, custom_call_target="__cudnn$convBackwardInput"',
        "a = f32[1,4,4,5]{3,2,1,0} parameter(0)",
        "b = f32[5,2,2,3]{3,2,1,0} parameter(1)",
    )
    assert kernel.operations == 2 * (4 * 4 * 5) * (2 * 2 * 3) and kernel.precision == "tf32"
    assert kernel.nbytes == 4 * (4 * 4 * 5 + 5 * 2 * 2 * 3 + 8 * 8 * 3)


def test_a_product_inside_a_fusion_counts():
    text = """HloModule m, is_scheduled=true
%fused (a: f32[2,3], b: f32[3,4]) -> f32[2,4] {
  %a = f32[2,3]{1,0} parameter(0)
  %b = f32[3,4]{1,0} parameter(1)
  ROOT %d = f32[2,4] dot(%a, %b), lhs_contracting_dims={1}, operand_precision={highest,highest}
}
ENTRY %e (x: f32[2,3], y: f32[3,4]) -> f32[2,4] {
  %x = f32[2,3]{1,0} parameter(0)
  %y = f32[3,4]{1,0} parameter(1)
  ROOT %f = f32[2,4]{1,0} fusion(%x, %y), kind=kCustom, calls=%fused
}
"""
    (kernel,) = kernels(parse(text))
    assert (kernel.kind, kernel.operations, kernel.precision) == ("matrix products", 48, "float32")
    assert kernel.nbytes == 4 * (6 + 12 + 8)


def test_a_library_call_inside_a_fusion_counts():
    """As XLA writes a product of a slice: the call reads the slice where it lies."""
    text = """HloModule m, is_scheduled=true
%fused (a: f32[4,2,3], b: f32[3,4], i: s32[]) -> f32[2,4] {
  %a = f32[4,2,3]{2,1,0} parameter(0)
  %b = f32[3,4]{1,0} parameter(1)
  %i = s32[] parameter(2)
  %slice = f32[1,2,3]{2,1,0} dynamic-slice(%a, %i, %i, %i), dynamic_slice_sizes={1,2,3}
  %flat = f32[2,3]{1,0} bitcast(%slice)
  ROOT %call = f32[2,4]{1,0} custom-call(%flat, %b), custom_call_target="__cublas$gemm", \
backend_config={"dot_dimension_numbers":{"lhs_contracting_dimensions":["1"]}}
}
ENTRY %e (x: f32[4,2,3], y: f32[3,4], j: s32[]) -> f32[2,4] {
  %x = f32[4,2,3]{2,1,0} parameter(0)
  %y = f32[3,4]{1,0} parameter(1)
  %j = s32[] parameter(2)
  ROOT %f = f32[2,4]{1,0} fusion(%x, %y, %j), kind=kCustom, calls=%fused
}
"""
    (kernel,) = kernels(parse(text))
    assert (kernel.kind, kernel.operations) == ("matrix products", 2 * 2 * 4 * 3)
    assert kernel.nbytes == 4 * (2 * 3 + 3 * 4 + 1 + 2 * 4)


def test_an_all_gather_hands_over_what_it_ends_with():
    kernel = only(
        "g = (f32[2]{0}, f32[16]{0}) all-gather-start(%a), dimensions={0}",
        "a = f32[2]{0} parameter(0)",
    )
    assert kernel.nbytes == 4 * 16
