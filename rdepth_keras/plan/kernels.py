"""What a scheduled program launches: kernels and library calls, their bytes and operations.

Bytes are those of every operand and result, read or written once, as if no cache kept anything
between two kernels. Of an operand that a kernel only slices the slice counts, of one that it
updates in place the update, and scratch memory of library calls counts nothing. Operations are
those of matrix products and convolutions, two for a multiply-add; what else is computed hides
behind the bytes.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rdepth_keras.plan.hlo import Array, Computation, Instruction, Module

PRODUCTS, CONVOLUTIONS = "matrix products", "convolutions"
REDUCTIONS, ELEMENTWISE, COPIES = "reductions", "element-wise", "copies and casts"
COLLECTIVES, OTHERS = "collectives", "others"
KINDS = (PRODUCTS, CONVOLUTIONS, REDUCTIONS, ELEMENTWISE, COPIES, COLLECTIVES, OTHERS)

_FREE = {
    *("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all"),
    *("partition-id", "replica-id", "opt-barrier", "add-dependency"),
}
_MOVING = {
    *("copy", "transpose", "reshape", "bitcast", "slice", "concatenate", "pad", "reverse"),
    *("broadcast", "iota", "convert", "dynamic-slice", "dynamic-update-slice", "gather"),
    *("parameter", "constant", "tuple", "get-tuple-element", "copy-start"),
}
_COLLECTIVE = re.compile(r"all-reduce|all-gather|all-to-all|reduce-scatter|collective-")
_PRODUCT = re.compile(r"matmul|gemm")  # of cuBLAS, cuBLASLt and Triton
_SLICING = {"slice", "dynamic-slice", "gather"}
_VIEWS = {"bitcast", "reshape"}


@dataclass(frozen=True)
class Kernel:
    """A kernel or library call of a step.

    Attributes:
        name: of its instruction.
        opcode: of its instruction.
        kind: one of :data:`KINDS`.
        operation: layer and primitive it comes from, as JAX wrote it.
        times: how often it runs in a step; more than once within a loop.
        nbytes: read and written, each time.
        operations: of products and convolutions, each time.
        precision: of these: the field of :class:`rdepth_keras.plan.devices.Rates` they run at.
    """

    name: str
    opcode: str
    kind: str
    operation: str
    times: int
    nbytes: int
    operations: int = 0
    precision: str = "float32"


def kernels(module: Module) -> list[Kernel]:
    """All of the entry computation and of the loops and calls in it, in order.

    A loop of an unknown number of turns counts once, and of branches the one of least bytes: what
    comes out is never too much.
    """
    return list(_launched(module, module.computations[module.entry], 1))


def _launched(module: Module, computation: Computation, times: int) -> Iterator[Kernel]:
    for instruction in computation.values():
        opcode = instruction.opcode
        inner = [module.computations[name] for name in instruction.called]
        if opcode in _FREE or opcode.endswith(("-done", "-update")):
            continue
        if opcode == "while":
            turns = instruction.attribute(r'"known_trip_count":\{"n":"(\d+)"')
            yield from _launched(module, inner[0], times * int(turns or 1))
        elif opcode == "conditional":
            branches = [list(_launched(module, branch, times)) for branch in inner]
            yield from min(branches, key=lambda found: sum(one.nbytes for one in found))
        elif opcode in ("call", "async-start"):
            yield from _launched(module, inner[0], times)
        else:
            yield replace(_kernel(module, instruction, computation), times=times)


def _kernel(module: Module, instruction: Instruction, computation: Computation) -> Kernel:
    fused = _fused(module, instruction)
    kind = _kind(instruction, fused)
    operations, precision = _arithmetic(instruction, computation)
    for one in fused.values():
        more, other = _arithmetic(one, fused)
        operations, precision = operations + more, other if more else precision
    moved = _payload if kind == COLLECTIVES else _traffic
    nbytes = moved(instruction, computation, fused)
    names = (instruction.name, instruction.opcode, kind, instruction.operation)
    return Kernel(*names, times=1, nbytes=nbytes, operations=operations, precision=precision)


def _fused(module: Module, instruction: Instruction) -> Computation:
    if instruction.opcode != "fusion":
        return {}
    return module.computations[instruction.called[0]]


def _kind(instruction: Instruction, fused: Computation) -> str:
    opcodes = {one.opcode for one in fused.values()} or {instruction.opcode}
    target = " ".join(one.target for one in (instruction, *fused.values()))
    if _COLLECTIVE.match(instruction.opcode):
        return COLLECTIVES
    if _PRODUCT.search(target) or "dot" in opcodes:
        return PRODUCTS
    if "$conv" in target or "convolution" in opcodes:
        return CONVOLUTIONS
    if opcodes & {"reduce", "reduce-window"}:
        return REDUCTIONS
    if opcodes <= _MOVING:
        return COPIES
    return ELEMENTWISE if fused else OTHERS


def _traffic(instruction: Instruction, computation: Computation, fused: Computation) -> int:
    """Bytes read and written by an instruction that is a kernel."""
    read = {name: _nbytes(computation[name].results) for name in instruction.operands}
    written = _nbytes(_without_scratch(instruction))
    parameters = [one for one in fused.values() if one.opcode == "parameter"]
    for parameter in parameters:
        name = instruction.operands[int(parameter.operands[0])]
        read[name] = min(read[name], _read(parameter, fused))
    for one in fused.values():
        if one.opcode == "dynamic-update-slice" and _is_result(one, fused):
            written -= _nbytes(one.results) - _nbytes(fused[one.operands[1]].results)
    return sum(read.values()) + written


def _payload(instruction: Instruction, computation: Computation, _: Computation) -> int:
    """Bytes a device hands to a collective; of a gathering one those it has in the end."""
    given = sum(_nbytes(computation[name].results) for name in instruction.operands)
    if "all-gather" not in instruction.opcode:
        return given
    paired = instruction.opcode.endswith("-start")  # its results hold the operands, too
    return _nbytes(instruction.results) - paired * given


def _without_scratch(instruction: Instruction) -> tuple[Array, ...]:
    """What it makes; the last of a library call's several results is scratch memory."""
    results = instruction.results
    if instruction.opcode != "custom-call" or len(results) < 2:
        return results
    *made, last = results
    return tuple(made) if last.dtype in ("s8", "u8") else results


def _read(parameter: Instruction, fused: Computation) -> int:
    """Bytes a fusion reads of a parameter: the slices alone where it does nothing but slice it."""
    total = 0
    for user in _users(parameter, fused):
        if user.opcode in _SLICING and user.operands[0] == parameter.name:
            total += _nbytes(user.results)
        elif user.opcode in _VIEWS:
            total += _read(user, fused)
        elif user.opcode != "dynamic-update-slice" or user.operands[0] != parameter.name:
            return _nbytes(parameter.results)
    return total


def _users(instruction: Instruction, fused: Computation) -> list[Instruction]:
    return [one for one in fused.values() if instruction.name in one.operands]


def _is_result(instruction: Instruction, fused: Computation) -> bool:
    """Whether it leaves the fusion as it is, alone or in a tuple."""
    users = _users(instruction, fused)
    if instruction.root or not users:
        return instruction.root
    return all(one.opcode in ("tuple", *_VIEWS) and _is_result(one, fused) for one in users)


def _nbytes(results: tuple[Array, ...]) -> int:
    return sum(array.nbytes for array in results)


def _arithmetic(instruction: Instruction, computation: Computation) -> tuple[int, str]:
    """Operations of a product or convolution, and what they are computed in; 0 for others."""
    if instruction.opcode == "dot" or _PRODUCT.search(instruction.target):
        operations = _of_product(instruction, computation)
    elif instruction.opcode == "convolution" or "$conv" in instruction.target:
        operations = _of_convolution(instruction, computation)
    else:
        return 0, "float32"
    dtype = computation[instruction.operands[0]].results[0].dtype
    highest = re.search(r"operand_precision\W+HIGHEST", instruction.attributes, re.IGNORECASE)
    single = "float32" if highest or dtype != "f32" else "tf32"
    return operations, "bfloat16" if dtype in ("bf16", "f16") else single


def _of_product(instruction: Instruction, computation: Computation) -> int:
    left = computation[instruction.operands[0]].results[0].shape
    pattern = r'lhs_contracting_dim(?:ension)?s"?[=:][\[{]([^\]}]*)'
    axes = map(int, re.findall(r"\d+", instruction.attribute(pattern)))
    return 2 * instruction.results[0].size * math.prod(left[axis] for axis in axes)


def _of_convolution(instruction: Instruction, computation: Computation) -> int:
    """By the shapes of the forward convolution, which a gradient's call is written in, too."""
    image, kernel = (computation[name].results[0] for name in instruction.operands[:2])
    result = instruction.results[0]
    if "BackwardFilter" in instruction.target:
        kernel, result = result, kernel
    elif "BackwardInput" in instruction.target:
        result = image
    labels = instruction.attribute(r"dim_labels=\w+_(\w+)->")
    return 2 * result.size * kernel.size // kernel.shape[labels.index("o")]
