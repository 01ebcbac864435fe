"""One kernel case: a row, and the bytes of memory before and after it by the numpy reference.

Cases of bands and of overlapping maps are made in bands.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.lib.held import Held
from tests.lib.records import Fields
from tests.lib.rows import Draft, draft
from tests.support.memory import state_bytes, tensor_bytes

from tinyflash.compiler.kernels import chosen_set, kernel_sets, needs_of
from tinyflash.graph import Graph, Node
from tinyflash.program import Buffer, Call, Record, Row, Space, with_scratch
from tinyflash.reference.environment import Environment
from tinyflash.reference.operators import OPERATORS
from tinyflash.runtime.state import SCALE_BYTES, scale_offset

GAP = 4  # bytes between tensors, where nothing may be written
_GUARDS = bytes((i * i * 89 + i * 37 + 165) % 251 for i in range(251))
WRITABLE = (Space.WEIGHTS, Space.STATE, Space.ARENA)
_SPACES = {"constant": Space.FLASH, "trainable": Space.WEIGHTS}


@dataclass(frozen=True)
class Case:
    """`row.record` is 0 and its FLASH buffers are offsets in `flash` until a batch places them."""

    name: str
    row: Row
    record: Record
    flash: bytes
    before: Mapping[Space, bytes]
    after: Mapping[Space, bytes]
    band: tuple[int, int]
    graph: Graph
    node: Node
    overlaps: bool = False  # an output and an operand
    scratch: int = 0  # bytes of the arena behind those that are compared

    def call(self, op: int) -> Call:
        return Call(op, *self.band)

    def by(self, name: str) -> Case | None:
        """The same with the kernel of another set; None if the set has none for this case."""
        sets = kernel_sets([name])
        if chosen_set(self.row.kernel, self.graph, self.node, sets) != name:
            return None
        needs = needs_of(name, self.row.kernel)
        if needs.at_once and self.overlaps:
            return None
        scratch = needs.scratch(self.graph, self.node)
        row = replace(self.row, kernel_set=name)
        return replace(self, name=f"{self.name} ({name})", row=row, scratch=scratch)

    def placed(self, record: int, flash_offset: int, scratch_offset: int) -> Row:
        """The row with its record, its constants among those of other cases, and its scratch."""
        buffers = tuple(
            replace(b, offset=b.offset + flash_offset) if b and b.space is Space.FLASH else b
            for b in self.row.buffers
        )
        if self.scratch:
            buffers = with_scratch(buffers, Buffer(Space.ARENA, scratch_offset))
        return replace(self.row, record=record, buffers=buffers)


@dataclass
class Places:
    """Where the tensors of a case lie, with guards between them."""

    graph: Graph
    sizes: dict[Space, int] = field(default_factory=dict)
    tensors: dict[str, Buffer] = field(default_factory=dict)
    held: Mapping[str, Held] = field(default_factory=dict)

    def add(self, tensor: str, behind: int = 0) -> Buffer:
        """A place, `behind` bytes from where there is room."""
        if tensor not in self.tensors:
            kind = self.graph.tensors[tensor].kind
            space = _SPACES.get(kind, Space.ARENA)
            offset = self.sizes.get(space, 0) + behind
            self.tensors[tensor] = Buffer(space, offset)
            self.sizes[space] = -(-(offset + self.nbytes(tensor)) // 4) * 4 + GAP
        return self.tensors[tensor]

    def nbytes(self, tensor: str) -> int:
        """Of the part that is in memory."""
        return self.held.get(tensor, self.graph.tensors[tensor]).nbytes

    def overlap(self, tensor: str, other: str, ahead: int) -> None:
        """Places a tensor so that it begins some bytes before another, and that one with it."""
        place = self.add(other, max(ahead, 0))
        self.tensors[tensor] = replace(place, offset=place.offset - ahead)
        end = self.tensors[tensor].offset + self.graph.tensors[tensor].nbytes
        self.sizes[place.space] = max(self.sizes[place.space], -(-end // 4) * 4 + GAP)


def _guard(count: int) -> bytes:
    """Bytes without a short period: a row copied too far would not look like them."""
    return (_GUARDS * (count // len(_GUARDS) + 1))[:count]


def _image(env: Environment, places: Places, space: Space) -> bytes:
    """A space as the environment holds it now."""
    if space is Space.STATE:
        return state_bytes(env) + _guard(SCALE_BYTES)
    image = bytearray(_guard(places.sizes.get(space, 0)))
    for tensor, buffer in places.tensors.items():
        if buffer.space is space and tensor in env.values:
            data = tensor_bytes(env, tensor)
            if tensor in places.held:
                places.held[tensor].write(memoryview(image)[buffer.offset :], data)
            else:
                image[buffer.offset : buffer.offset + len(data)] = data
    return bytes(image)


@dataclass(frozen=True)
class Memory:
    """What is special about the memory of a case. alias: an output's role to that of the input that
    it begins `ahead` bytes before. band: rows computed. held: of tensors held partly; the record
    has `rings` of them, by role."""

    alias: Mapping[str, str] = field(default_factory=dict)
    ahead: int = 0
    band: tuple[int, int] | None = None
    held: Mapping[str, Held] = field(default_factory=dict)
    rings: Mapping[str, int] = field(default_factory=dict)


WHOLE = Memory()


def capture(env: Environment, node: Node, name: str, memory: Memory = WHOLE) -> Case:
    """Runs a node in the reference and returns what a kernel must do."""
    plan, places = draft(env.graph, node), Places(env.graph, held=memory.held)
    fields = with_rings(plan.fields, memory.rings)
    tensors = {**node.inputs, **node.outputs}
    for tensor in node.outputs.values():
        env.values.pop(tensor, None)
    for output, shared in memory.alias.items():
        places.overlap(tensors[output], tensors[shared], memory.ahead)
    indices = {id(scale): index for index, scale in enumerate(env.scale_list)}
    scales = {name: indices[id(scale)] for name, scale in env.scales.items()}
    buffers = tuple(buffer_of(places, tensors, scales, role, plan) for role in plan.roles)
    before = {space: _image(env, places, space) for space in WRITABLE}
    flash = _image(env, places, Space.FLASH)
    OPERATORS[node.op](env, node)
    after = {space: _image(env, places, space) for space in WRITABLE}
    row = Row(plan.kernel, 0, buffers, name, plan.kernel)
    band = memory.band or (0, height_of(fields))
    record = Record(plan.ctype, "", fields)
    overlaps = bool(memory.alias)
    return Case(name, row, record, flash, before, after, band, env.graph, node, overlaps)


def with_rings(fields: Fields, rings: Mapping[str, int]) -> Fields:
    """The record of a kernel that meets rings, by the roles of its operands."""
    if "window" in fields and isinstance(fields["window"], Mapping):
        return {**fields, "window": with_rings(dict(fields["window"]), rings)}
    changed: Fields = {}
    for role, ring in rings.items():
        part = fields.get(role)
        if isinstance(part, Mapping):
            changed[role] = {**part, "ring": ring}
        else:
            changed["ring" if "ring" in fields else f"{role}_ring"] = ring
    assert changed.keys() <= fields.keys(), f"{changed} of {list(fields)}"
    return {**fields, **changed}


def height_of(fields: Fields) -> int:
    """The rows that a kernel with this record computes in all; 1 where it counts none."""
    window = fields.get("window", fields)
    y = window.get("y", fields) if isinstance(window, Mapping) else fields
    height = y.get("height", 1) if isinstance(y, Mapping) else 1
    assert isinstance(height, int)
    return height


def buffer_of(
    places: Places, tensors: Mapping[str, str], scales: Mapping[str, int], role: str, plan: Draft
) -> Buffer | None:
    """Where the tensor of a role lies, which gets a place if it has none. `scales`: the number of
    the scale of each gradient."""
    if role == "state":
        return Buffer(Space.STATE, 0)
    tensor = tensors.get(role.removeprefix("s:"))
    if tensor is None:
        # An empty part of the weights has an address all the same (ops.h).
        return Buffer(Space.FLASH, 0) if role in ("w", "w_frozen") else None
    if role.startswith("s:"):
        return Buffer(Space.STATE, scale_offset(scales[tensor]))
    place = places.add(tensor)
    return replace(place, offset=place.offset + plan.start) if role == "dy" else place
