"""Reads an ONNX file into plain records: only this file uses protobuf.

Other modules interpret the records. This file imports the package onnx when it reads a file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tinyflash.errors import ModelError, printable
from tinyflash.files import read_bytes
from tinyflash.graph import Array
from tinyflash.paths import how_to_install
from tinyflash.read.limits import LARGEST_CONSTANTS, LARGEST_FILE, MOST_OPERATORS
from tinyflash.read.onnx.structure import structure_bytes

Attribute = int | float | str | tuple[int, ...] | tuple[float, ...] | Array
Dimension = int | str  # a name; any size

_LARGEST_FILE = 4 * LARGEST_FILE  # a float has four bytes
_LARGEST_STRUCTURE = 4 << 20  # bytes; in memory they become a hundred times as many
_MOST_NODES = 16 * MOST_OPERATORS  # many are arithmetic of shapes, computed while reading
_LARGEST_RANK = 8
_OLDEST_OPSET = 7
_POINTER = b"version https://git-lfs"
_DOMAINS = ("", "ai.onnx")
_CODING = (
    "QuantizeLinear",
    "DequantizeLinear",
)  # which onnxruntime also has in a domain of its own
_INSTALL = f"reading ONNX needs the package onnx; run: {how_to_install('onnx')}"


@dataclass(frozen=True)
class OnnxNode:
    """An operator of the file. Omitted operands are ""."""

    index: int
    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    unusual: str  # an unsupported feature that it uses: "", "a graph inside"


@dataclass(frozen=True)
class OnnxInput:
    """An input of the network."""

    name: str
    dtype: str
    shape: tuple[Dimension, ...]


@dataclass(frozen=True)
class OnnxModel:
    """A file. `constants`: its initialisers."""

    name: str
    opset: int
    nodes: tuple[OnnxNode, ...]
    constants: Mapping[str, Array]
    inputs: tuple[OnnxInput, ...]
    outputs: tuple[str, ...]


def load(path: Path) -> OnnxModel:
    """Reads and checks a file, and its data in other files of its folder."""
    content = _bytes(path)
    if content.startswith(_POINTER):
        raise ModelError(f"{path}: only a Git LFS pointer to the model; run git lfs pull")
    return parse(content, str(path), path.stem, path.parent)


def parse(content: bytes, file: str, name: str, folder: Path | None) -> OnnxModel:
    """Parses a model in memory. folder: of its data in other files; None rejects such data."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise ModelError(f"{file}: {_INSTALL}") from error
    model = onnx.ModelProto()
    try:
        if structure_bytes(content, _LARGEST_STRUCTURE) > _LARGEST_STRUCTURE:
            raise ModelError(f"{file}: more than {_LARGEST_STRUCTURE:,} bytes without its weights")
        model.ParseFromString(content)
    except (DecodeError, RuntimeError, ValueError) as error:
        raise ModelError(f"{file}: not an ONNX file, or a damaged one; export it again") from error
    return _Loader(file, folder, onnx).model(model, name)


def _bytes(path: Path, offset: int = 0, length: int = 0) -> bytes:
    """Returns the file from `offset` on, or `length` bytes of it."""
    try:
        if not 0 < length <= _LARGEST_FILE:
            return read_bytes(path, _LARGEST_FILE, offset)
        return read_bytes(path, length, offset, cut=True)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error


@dataclass
class _Loader:
    """Turns messages into records. `onnx`: the package; `elements`: of all constants so far."""

    file: str
    folder: Path | None
    onnx: Any
    elements: int = 0

    def fail(self, text: str) -> NoReturn:
        raise ModelError(f"{self.file}: {text}")

    def model(self, model: Any, name: str) -> OnnxModel:
        graph = model.graph
        if not len(graph.node):
            self.fail("has no network: it is empty or damaged; export it again")
        if len(model.functions):
            self.fail("has functions of its own; inline them with onnx.inliner")
        if len(graph.sparse_initializer):
            self.fail("has sparse constants, which are not supported")
        for count in (len(graph.node), len(graph.initializer)):
            if count > _MOST_NODES:
                self.fail(f"has {count} nodes or constants; {_MOST_NODES} are the most")
        constants = {_text(t.name): self.tensor(t, "constant") for t in graph.initializer}
        return OnnxModel(
            name=name,
            opset=self._opset(model.opset_import),
            nodes=tuple(self._node(node, i) for i, node in enumerate(graph.node)),
            constants=constants,
            inputs=tuple(self._input(v) for v in graph.input if _text(v.name) not in constants),
            outputs=tuple(_text(v.name) for v in graph.output),
        )

    def _opset(self, imports: Iterable[Any]) -> int:
        found = [int(entry.version) for entry in imports if entry.domain in _DOMAINS]
        newest = int(self.onnx.defs.onnx_opset_version())
        opset = max(found, default=1)
        if not _OLDEST_OPSET <= opset <= newest:
            self.fail(f"is of opset {opset}; {_OLDEST_OPSET} to {newest} are supported")
        return opset

    def _input(self, value: Any) -> OnnxInput:
        kind = value.type.tensor_type
        if not value.type.HasField("tensor_type") or not kind.HasField("shape"):
            self.fail(f"input {_shown(value.name)} is not a tensor of known rank")
        shape = tuple(
            int(d.dim_value) if d.HasField("dim_value") else _shown(d.dim_param) or "?"
            for d in kind.shape.dim
        )
        return OnnxInput(_text(value.name), self._type(kind.elem_type), shape)

    def _type(self, number: int) -> str:
        try:
            return str(np.dtype(self.onnx.helper.tensor_dtype_to_np_dtype(number)))
        except (KeyError, TypeError, ValueError):
            return f"type {number}"

    def _node(self, node: Any, index: int) -> OnnxNode:
        known = node.domain in _DOMAINS or node.op_type in _CODING
        op = _shown(node.op_type) if known else f"{_shown(node.domain)}.{_shown(node.op_type)}"
        attributes: dict[str, Attribute] = {}
        unusual = ""
        for attribute in node.attribute:
            value = self._attribute(attribute, f"node {_shown(node.name)}")
            if value is None:
                unusual = "a graph inside" if attribute.HasField("g") else "an unusual attribute"
            else:
                attributes[_text(attribute.name)] = value
        name = _shown(node.name) or f"number {index}"
        inputs, outputs = (tuple(map(_text, names)) for names in (node.input, node.output))
        return OnnxNode(index, op, name, inputs, outputs, attributes, unusual)

    def _attribute(self, attribute: Any, where: str) -> Attribute | None:
        """Returns the attribute's value; None for types that no rule reads."""
        kinds = self.onnx.AttributeProto
        if attribute.type == kinds.INT:
            return int(attribute.i)
        if attribute.type == kinds.FLOAT:
            return float(attribute.f)
        if attribute.type == kinds.STRING:
            return _shown(attribute.s)
        if attribute.type == kinds.INTS:
            return tuple(int(i) for i in attribute.ints)
        if attribute.type == kinds.FLOATS:
            return tuple(float(f) for f in attribute.floats)
        if attribute.type == kinds.TENSOR:
            return self.tensor(attribute.t, where)
        return None

    def tensor(self, tensor: Any, where: str) -> Array:
        """Returns the tensor's numbers. where: its description in error messages."""
        where = f"{where} {_shown(tensor.name)}".strip()
        dims = [int(d) for d in tensor.dims]
        if len(dims) > _LARGEST_RANK or any(d < 0 for d in dims):
            self.fail(f"{where} has shape {dims[:9]}, which is too large")
        self.elements += math.prod(dims)
        if self.elements > LARGEST_CONSTANTS:
            self.fail(f"{where} has shape {dims}, which makes the constants too large in total")
        if tensor.data_location == self.onnx.TensorProto.EXTERNAL:
            tensor = self._external(tensor, where)
        try:
            return np.asarray(self.onnx.numpy_helper.to_array(tensor))
        except Exception as error:  # a damaged message can provoke any of a dozen exceptions
            raise ModelError(f"{self.file}: {where} is damaged; export the model again") from error

    def _external(self, tensor: Any, where: str) -> Any:
        """Returns the tensor with its data from another file of the model's folder."""
        entries = {_text(entry.key): _text(entry.value) for entry in tensor.external_data}
        name = entries.get("location", "")
        if self.folder is None:
            self.fail(
                f"{where} is in a file {_shown(name)} next to the model; read it from its path"
            )
        folder = self.folder.resolve()
        path = (folder / name.replace("\0", "")).resolve()
        if folder not in path.parents:
            self.fail(f"{where} is in {_shown(name)}, outside of the model's folder; move it there")
        try:
            offset, length = (int(entries.get(key, "0") or 0) for key in ("offset", "length"))
        except ValueError:
            self.fail(f"{where} is damaged; export the model again")
        content = b"" if offset < 0 else _bytes(path, offset, length)
        if len(content) < max(length, 1):
            self.fail(f"{where} is beyond the end of {_shown(name)}; export the model again")
        inside = self.onnx.TensorProto()
        inside.CopyFrom(tensor)
        inside.ClearField("external_data")
        inside.data_location = self.onnx.TensorProto.DEFAULT
        inside.raw_data = content
        return inside


def _text(text: str | bytes) -> str:
    """Decodes a string of the file; protobuf returns bytes if it is not valid text."""
    return text if isinstance(text, str) else text.decode(errors="replace")


def _shown(text: str | bytes) -> str:
    return printable(_text(text))
