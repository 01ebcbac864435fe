"""Whether a node is what its operator is in the opset of the model.

An attribute or an operand of another opset means nothing, or something else: no rule may read it.
"""

from __future__ import annotations

from typing import Any

from tinyflash.errors import printable


def misfit(definitions: Any, op: str, opset: int, node: Any) -> str:
    """What the node has that its operator has not: "" or words for an error.

    definitions: onnx.defs. Operators that onnx does not know at all are judged elsewhere.
    """
    if not definitions.has(op):
        return ""
    try:
        schema = definitions.get_schema(op, opset)
    except Exception:  # onnx's own, of a class that its versions name differently
        return f"an operator that opset {opset} has not"
    if schema.deprecated:
        return f"an operator that opset {opset} has not any more"
    for attribute in node.attribute:
        if attribute.name not in schema.attributes:
            return f"an attribute {printable(str(attribute.name))}, which opset {opset} has not"
    given = {attribute.name for attribute in node.attribute}
    for name, attribute in schema.attributes.items():
        if attribute.required and name not in given:
            return f"no attribute {name}"
    return _operands(schema, len(node.input), len(node.output))


def _operands(schema: Any, inputs: int, outputs: int) -> str:
    if inputs < schema.min_input:
        return f"{inputs} inputs, fewer than opset {schema.since_version} wants"
    if inputs > schema.max_input:
        return f"{inputs} inputs, more than opset {schema.since_version} knows"
    if outputs > schema.max_output:
        return f"{outputs} outputs, more than opset {schema.since_version} knows"
    return ""
