"""Comments in the generated C: for each row, each port, and the bytes of the images.

Text only: no code depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tinyflash.compiler.lower.layout import Layout
from tinyflash.graph import AdvanceAttrs, Graph, Node, Port, Tensor, WindowAttrs
from tinyflash.operators import WEIGHTED
from tinyflash.program import Buffer, Space, Stretch

_MAPS = ("activation", "gradient")


def row_note(graph: Graph, node: Node, part: str = "") -> str:
    """Describes a row: the operation, the shapes it reads and makes, its window, and its trained
    part.

    part: the input that this row handles, if the node has one row per input.
    """
    if isinstance(node.attrs, AdvanceAttrs):
        return f"{node.op}, sets the exponents of the next step"
    read = [part] if part else _maps_read(graph, node)
    made = _made(graph, node)
    shapes = f"{', '.join(_dims(graph, t) for t in read)} -> {made}" if read else made
    details = [node.op, shapes, *_window(node), *_trained(graph, node)]
    if node.op == "keep":
        details.append("for its update")
    return ", ".join(detail for detail in details if detail)


def _maps_read(graph: Graph, node: Node) -> list[str]:
    """Returns the inputs that are maps: no weights or tables, but a constant operand of a sum or
    product."""
    operands = node.op in ("add", "sub", "mul")
    return [t for t in node.inputs.values() if operands or graph.tensors[t].kind in _MAPS]


def _made(graph: Graph, node: Node) -> str:
    for role in ("w", "b", "d"):
        if not node.outputs and role in node.inputs:
            return f"{role} {_dims(graph, node.inputs[role])}"
    return _dims(graph, next(iter(node.outputs.values())))


def _dims(graph: Graph, tensor: str) -> str:
    """Returns the shape without the batch of 1; for a mask, its bytes."""
    found = graph.tensors[tensor]
    if found.kind == "mask":
        return f"{found.nbytes} bytes"
    return "x".join(str(d) for d in shape_of_one(found))


def shape_of_one(tensor: Tensor) -> tuple[int, ...]:
    """Returns the shape without the batch of 1."""
    shape = tensor.shape
    batch = tensor.kind in _MAPS and len(shape) > 1 and shape[0] == 1
    return shape[1:] if batch else shape


def _window(node: Node) -> list[str]:
    if not isinstance(node.attrs, WindowAttrs):
        return []
    window = node.attrs.window
    text = "{}x{}".format(*window.kernel)
    text += _pair(" stride", window.stride) + _pair(" dilation", window.dilation)
    return [text] if node.attrs.groups == 1 else [text, f"{node.attrs.groups} groups"]


def _pair(name: str, pair: tuple[int, int]) -> str:
    """Returns nothing if both are 1, and one number if both are equal."""
    if pair == (1, 1):
        return ""
    return f"{name} {pair[0]}" if pair[0] == pair[1] else f"{name} {pair[0]}x{pair[1]}"


def _trained(graph: Graph, node: Node) -> list[str]:
    """Returns how many input channels of a layer with weights are trained (depthwise: its own
    channels)."""
    if node.op not in WEIGHTED:
        return []
    kept = graph.tensors[node.inputs["w"]].shape[-1] if "w" in node.inputs else 0
    frozen = graph.tensors[node.inputs["w_frozen"]].shape[-1] if "w_frozen" in node.inputs else 0
    parts = []
    if kept:
        parts.append(f"{kept} of {kept + frozen} channels" if frozen else "all channels")
    if "b" in node.inputs and graph.tensors[node.inputs["b"]].kind == "trainable":
        parts.append("bias")
    return [f"trains {' and '.join(parts)}"] if parts else []


# ---- Ports ---------------------------------------------------------------------------------------


def port_note(graph: Graph, port: Port) -> str:
    """Returns type, shape and scale of the bytes at a port. The scale is the file's: the graph may
    compute with another unit (passes/unit.py)."""
    tensor = graph.tensors[port.tensor]
    if port.dtype == "uint8":
        return f"{_typed(tensor, 'uint8')}, raw bytes"
    logits = ", logits" if port.tensor == graph.logits else ""
    return tensor_note(replace(tensor, quant=port.quant or tensor.quant)) + logits


def tensor_note(tensor: Tensor) -> str:
    """Returns type and shape, and the scale if the tensor has a single one."""
    text = _typed(tensor, tensor.dtype)
    if tensor.quant is None or len(tensor.quant.scale) > 1:
        return text
    scale, zero = tensor.quant.scale[0], tensor.quant.zero
    stored = f"(stored {'-' if zero > 0 else '+'} {abs(zero)})" if zero else "stored"
    return f"{text}, real = {scale:.9g} * {stored}"


def _typed(tensor: Tensor, dtype: str) -> str:
    return f"{dtype} {''.join(f'[{d}]' for d in shape_of_one(tensor))}"


# ---- Images --------------------------------------------------------------------------------------


def contents(layout: Layout, graphs: Sequence[Graph]) -> Mapping[Space, tuple[Stretch, ...]]:
    """Returns the contents of FLASH, WEIGHTS and STATE, by offset."""
    tensors = {t.name: t for graph in graphs for t in graph.constants()}
    users = _users(graphs)
    scales = [Stretch(0, "seed, step, rate, label, outcome and counters")]
    scales += _stretches(layout.scales, {t: f"scale of {t}" for t in layout.scales})
    texts = {
        name: f"{name}, {_typed(tensor, tensor.dtype)}, {users.get(name, 'unread')}"
        for name, tensor in tensors.items()
    }
    return {
        Space.FLASH: tuple(_stretches(layout.constants, texts)),
        Space.WEIGHTS: tuple(_stretches(layout.trainables, texts)),
        Space.STATE: tuple(scales),
    }


def _users(graphs: Iterable[Graph]) -> dict[str, str]:
    """Returns the first reader of each tensor, and the role it reads it in."""
    users: dict[str, str] = {}
    for graph in graphs:
        for node in graph.nodes:
            for role, tensor in node.inputs.items():
                users.setdefault(tensor, f"{role} of {node.name}")
    return users


def _stretches(places: Mapping[str, Buffer], texts: Mapping[str, str]) -> list[Stretch]:
    """Returns the texts by offset. Tensors at the same offset are named once."""
    found: dict[int, str] = {}
    for name, buffer in places.items():
        found.setdefault(buffer.offset, texts[name])
    return [Stretch(offset, found[offset]) for offset in sorted(found)]
