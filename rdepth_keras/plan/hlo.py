"""The text of a scheduled XLA program as instructions: names, shapes, operands, attributes."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_HEADER = re.compile(r"(?P<entry>ENTRY )?%?(?P<name>[\w.-]+) \(.*\) -> .*\{\s*$")
_INSTRUCTION = re.compile(r"\s+(?P<root>ROOT )?%?(?P<name>[\w.-]+) = (?P<rest>.*)$")
_COMMENT = re.compile(r"/\*index=\d+\*/")  # in long lists
_ARRAY = re.compile(r"([a-z]\w*)\[([\d,]*)\]")
_CALLED = re.compile(
    r"(?:calls|to_apply|body|true_computation|false_computation)=%?([\w.-]+)"
    r"|branch_computations=\{([^}]*)\}"
)
_BITS = {"pred": 8, "token": 0, "opaque": 0}


@dataclass(frozen=True)
class Array:
    """An array of a program: element type as XLA writes it (``bf16``, ``f32``), and shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        width = _BITS.get(self.dtype)
        if width is None:
            width = int(re.findall(r"\d+", self.dtype)[0])  # f8e4m3fn is 8 bits wide
        return math.ceil(self.size * width / 8)


@dataclass(frozen=True)
class Instruction:
    """One line of a computation.

    Attributes:
        name: unique in the program.
        opcode: e.g. ``fusion``, ``custom-call``.
        results: the arrays it makes; several for a tuple.
        operands: names of the instructions it reads, or what stands in a constant's brackets.
        attributes: the rest of the line.
        root: whether it is what its computation returns.
    """

    name: str
    opcode: str
    results: tuple[Array, ...]
    operands: tuple[str, ...]
    attributes: str
    root: bool = False

    @property
    def called(self) -> tuple[str, ...]:
        """Names of the computations it calls; of a loop the body, without the condition."""
        found = _CALLED.findall(self.attributes)
        names = [name for one, many in found for name in [one, *many.split(",")]]
        return tuple(name.strip(" %") for name in names if name.strip())

    @property
    def operation(self) -> str:
        """Which layer and primitive it comes from, as JAX wrote it; empty where nobody did."""
        return self.attribute(r'op_name="([^"]*)"')

    @property
    def target(self) -> str:
        """The library call that a custom call stands for, else empty."""
        return self.attribute(r'custom_call_target="([^"]*)"')

    def attribute(self, pattern: str) -> str:
        """The first group of the pattern's first match; empty where there is none."""
        found = re.search(pattern, self.attributes)
        return found[1] if found else ""


Computation = Mapping[str, Instruction]  # by name, in the order they run


@dataclass(frozen=True)
class Module:
    """A program: its computations by name, and which of them runs."""

    computations: Mapping[str, Computation]
    entry: str


def parse(text: str) -> Module:
    """What ``compiled.as_text()`` wrote.

    Raises:
        ValueError: where the text has no entry computation, or is not scheduled: its order and its
            kernels are then not those that run.
    """
    if "is_scheduled=true" not in text.partition("\n")[0]:
        raise ValueError("Expected is the text of a scheduled program; this one is not scheduled.")
    computations: dict[str, dict[str, Instruction]] = {}
    entry, current = None, None
    for line in _COMMENT.sub("", text).splitlines():
        if header := _HEADER.match(line):
            current = computations.setdefault(header["name"], {})
            entry = header["name"] if header["entry"] else entry
        elif line.startswith("}"):
            current = None
        elif current is not None and (found := _INSTRUCTION.match(line)):
            current[found["name"]] = _instruction(found)
    if entry is None:
        raise ValueError("Expected is a program with an ENTRY computation; this text has none.")
    return Module(computations, entry)


def arrays(text: str) -> tuple[Array, ...]:
    """Every array of a type: ``(bf16[4,8]{1,0}, s8[16]{0})`` has two."""
    return tuple(
        Array(dtype, tuple(map(int, filter(None, shape.split(",")))))
        for dtype, shape in _ARRAY.findall(text)
    )


def _instruction(found: re.Match) -> Instruction:
    kind, rest = _split_type(found["rest"])
    opcode, _, rest = rest.partition("(")
    end = _closing(rest, 1)
    operands = tuple(word.split()[-1].lstrip("%") for word in _parts(rest[: end - 1]))
    root = found["root"] is not None
    return Instruction(found["name"], opcode.strip(), arrays(kind), operands, rest[end:], root)


def _split_type(rest: str) -> tuple[str, str]:
    """A type, which may be a tuple with blanks inside, and what follows it."""
    end = _closing(rest[1:], 1) + 1 if rest.startswith("(") else rest.index(" ")
    return rest[:end], rest[end:]


def _closing(text: str, depth: int) -> int:
    """The place behind the bracket that closes ``depth`` open ones."""
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return place + 1
    return len(text)


def _parts(text: str) -> Iterator[str]:
    """What commas separate, those within brackets aside."""
    depth, start = 0, 0
    for place, letter in enumerate(text + ","):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            if part := text[start:place].strip():
                yield part
            start = place + 1
