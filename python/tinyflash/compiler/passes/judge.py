"""Which maps a scheme judges: those whose channels have Fisher information (SPEC 15)."""

from __future__ import annotations

from tinyflash.graph import Graph


def judged_maps(graph: Graph, last: int | frozenset[str]) -> frozenset[str]:
    """Returns the maps that tell what the last `last` layers with weights are worth: what they
    make, and what those read that are not depthwise, of which a part can be trained. Or those that
    are named."""
    if isinstance(last, frozenset):
        return last
    layers = [node for node in graph.nodes if node.operator.weighted]
    chosen = layers[max(0, len(layers) - last) :]
    made = {node.outputs["y"] for node in chosen}
    read = {node.inputs["x"] for node in chosen if not node.operator.depthwise}
    return frozenset(made | read) - {graph.input.tensor}
