"""The text of a program, read."""

import pytest

from rdepth_keras.plan.hlo import Array, arrays, parse


def test_a_program_is_its_computations_in_order(program):
    module = parse(program)
    assert module.entry == "main.1"
    assert list(module.computations)[:2] == ["fused_add", "region_sum"]
    entry = module.computations["main.1"]
    names = list(entry)
    assert (names[0], names[-1], len(names)) == ("x", "result", 21)
    assert entry["result"].root and not entry["added"].root


def test_an_instruction_has_shapes_operands_and_where_it_comes_from(program):
    entry = parse(program).computations["main.1"]
    added, product, filtered = (entry[name] for name in ("added", "product", "filter"))
    assert added.operands == ("x", "y") and added.called == ("fused_add",)
    assert added.operation == "jit(step)/jvp(image_encoder)/stage1_block2/norm/add"
    assert product.target == "__cublas$lt$matmul" and product.opcode == "custom-call"
    assert product.results == (Array("bf16", (8, 4)), Array("s8", (1 << 25,)))
    assert filtered.operands == ("image", "conv.0")  # a comment stands between
    assert entry["loop"].called == ("body",)
    assert entry["none"].operation == ""


def test_branches_are_called_by_any_name():
    text = """HloModule m, is_scheduled=true
ENTRY %e (p: pred[]) -> f32[] {
  %p = pred[] parameter(0)
  ROOT %c = f32[] conditional(%p, %p, %p), branch_computations={%one, %two}
}
"""
    assert parse(text).computations["e"]["c"].called == ("one", "two")


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("f32[]", 4),
        ("bf16[2,3]{1,0}", 12),
        ("pred[7]{0}", 7),
        ("s4[3]{0}", 2),
        ("f8e4m3fn[5]{0}", 5),
        ("c64[2]", 16),
        ("token[]", 0),
        ("(f32[2]{0}, (u8[0]{0}, s64[1]{0}))", 16),
    ],
)
def test_bytes_of_a_type(text, nbytes):
    assert sum(array.nbytes for array in arrays(text)) == nbytes


def test_what_is_no_scheduled_program_is_refused():
    with pytest.raises(ValueError, match="not scheduled"):
        parse("HloModule m, entry_computation_layout={()->f32[]}\n")
    with pytest.raises(ValueError, match="ENTRY"):
        parse("HloModule m, is_scheduled=true\n")
