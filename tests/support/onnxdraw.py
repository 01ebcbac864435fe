"""An ONNX model that is drawn node by node, each evaluated as soon as it is there."""

from __future__ import annotations

import warnings
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from tests.support.onnxfile import OnnxFile

from tinyflash.read.onnx.judge.corrected import corrected

SHAPES = ((1, 3, 6, 5), (1, 4, 5, 5), (1, 2, 7), (1, 6), (1, 4, 6, 6), (1, 5, 3), (1, 1, 4, 8))

_LARGEST = 5000  # elements


class NotDrawnError(Exception):
    """An operator that this opset has not, or that cannot work on these values."""


class Drawing:
    """values: what each name holds for one sample."""

    def __init__(self, seed: int, opset: int) -> None:
        self.draw = Random(seed)
        shape = self.draw.choice(SHAPES)
        self.file = OnnxFile(shape, seed, opset)
        if self.draw.random() < 0.3:
            self.file.shape = ("n", *shape[1:])
        self.opset = opset
        self.values: dict[str, np.ndarray] = {
            "x": self.file.random.normal(size=shape).astype(np.float32)
        }
        self.maps = ["x"]  # what depends on the input

    @property
    def x(self) -> str:
        """A value of the network, mostly the last one."""
        return self.maps[-1] if self.chance(0.8) else self.draw.choice(self.maps)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.values[name].shape

    def rank(self, name: str) -> int:
        return self.values[name].ndim

    def chance(self, share: float) -> bool:
        return self.draw.random() < share

    def constant(self, data: Any, dtype: Any = np.float32) -> str:
        """An initialiser, or what a Constant holds."""
        data = np.asarray(data, dtype)
        if self.chance(0.2):
            name = self.file.node("Constant", value=numpy_helper.from_array(data))
        else:
            name = self.file.constant(data, data.dtype)
        self.values[name] = data
        return name

    def normal(self, *shape: int) -> str:
        return self.constant(self.file.random.normal(0, 1, shape))

    def schema(self, op: str) -> Any:
        try:
            return onnx.defs.get_schema(op, self.opset)
        except onnx.defs.SchemaError as error:
            raise NotDrawnError(op) from error

    def node(self, op: str, *inputs: str, **settings: Any) -> str:
        """Adds an operator. settings: attributes, or operands where the opset has these; those that
        it does not know are left out."""
        schema = self.schema(op)
        operands = list(inputs)
        names = [operand.name for operand in schema.inputs]
        attributes = {k: v for k, v in settings.items() if k in schema.attributes}
        for name, value in settings.items():
            if name in names and name not in attributes and names.index(name) >= len(operands):
                operands += [""] * (names.index(name) - len(operands))
                operands.append(value if isinstance(value, str) else self._operand(value))
        y = self.file.node(op, *operands, **attributes)
        return self.evaluated(y)

    def _operand(self, value: Any) -> str:
        kind = np.float32 if isinstance(value, float) else np.int64
        kind = np.bool_ if isinstance(value, bool) else kind
        return self.constant(value, kind)

    def evaluated(self, y: str) -> str:
        """Computes a value of the last node; takes the node back if it cannot work."""
        node = self.file.nodes[-1]
        graph = helper.make_graph([node], "one", [], [])
        feeds = {name: self.values[name] for name in node.input if name}
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                machine = ReferenceEvaluator(
                    graph, opsets={"": self.opset}, new_ops=corrected(self.opset)
                )
                found = np.asarray(machine.run([y], feeds)[0])
            if not 0 < found.size <= _LARGEST or not np.isfinite(found.astype(float)).all():
                raise NotDrawnError(node.op_type)
        except Exception as error:  # whatever a wild attribute provokes
            self.file.nodes.pop()
            raise NotDrawnError(node.op_type) from error
        self.values[y] = found
        if not set(node.input).isdisjoint(self.maps) and node.op_type not in ("Shape", "Size"):
            self.maps.append(y)
        return y
