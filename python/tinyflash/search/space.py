"""The schemes to choose from: biases of some last layers, and of each layer a share of weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tinyflash.compiler import Prepared
from tinyflash.compiler.passes.differentiate import differentiate
from tinyflash.graph import Node
from tinyflash.layers import groups_of, last_layer, weight_of
from tinyflash.scheme import Rule, Scheme

RATIOS = (0.125, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Space:
    """Of one network. prepared: with a scheme without rules. body: the layers that can be trained,
    the last one first. channels: of layers that need not train their first ones, all by number, the
    best one first."""

    prepared: Prepared
    body: tuple[Node, ...]
    channels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @staticmethod
    def of(prepared: Prepared) -> Space:
        forward, scheme = prepared.forward, prepared.scheme
        assert scheme is not None
        full = differentiate(forward, scheme.headroom, scheme.loss)
        reached = {node.layer for node in full.nodes if node.operator.updates}
        head = last_layer(forward)
        layers = [n for n in forward.nodes if n.operator.weighted and n is not head]
        return Space(prepared, tuple(n for n in reversed(layers) if n.name in reached))

    @property
    def base(self) -> Scheme:
        """The scheme that trains the classifier alone."""
        assert self.prepared.scheme is not None
        return self.prepared.scheme

    def scheme(self, depth: int, weights: Mapping[str, float] | None = None) -> Scheme:
        """Returns the scheme that trains the biases of the last `depth` layers, and shares of
        weights."""
        names = tuple(node.name for node in reversed(self.body[:depth]))
        rules = [Rule(layers=names, bias=True)] if names else []
        by_ratio: dict[float, list[str]] = {}
        for node in reversed(self.body):
            ratio = (weights or {}).get(node.name, 0.0)
            if ratio:
                by_ratio.setdefault(ratio, []).append(node.name)
        rules += [Rule(layers=tuple(n), weights=r) for r, n in sorted(by_ratio.items())]
        rules += [self._chosen(n, r) for r in sorted(by_ratio) for n in by_ratio[r] if r < 1]
        rules = [rule for rule in rules if rule != Rule()]
        return replace(self.base, rules=tuple(rules))

    def _chosen(self, name: str, ratio: float) -> Rule:
        """Returns the rule that trains the best channels of a layer; without effect if it trains
        the first ones."""
        listed = self.channels.get(name, ())
        count = max(1, int(ratio * len(listed) + 0.5))
        return Rule(layers=(name,), channels=listed[:count]) if listed else Rule()

    def ratios(self, node: Node) -> tuple[float, ...]:
        """Returns the shares of a layer's channels that can be trained."""
        return RATIOS if groups_of(node) == 1 else (1.0,)

    def depths(self) -> tuple[int, ...]:
        """Returns the depths to probe: all small ones, then about every 1.4th."""
        most, found, depth = len(self.body), [], 1
        while depth < most:
            found.append(depth)
            depth = max(depth + 1, int(depth * 1.4 + 0.5))
        return (*found, most) if most else ()

    def weights(self, node: Node) -> int:
        """Returns the weights of a layer, in bytes."""
        tensors = self.prepared.forward.tensors
        return sum(tensors[w].nbytes for w in weight_of(node))

    def last(self, count: int) -> Scheme:
        """Returns the scheme that trains all of the last layers."""
        return self.scheme(count, {node.name: 1.0 for node in self.body[:count]})

    def largest(self, allowed: Iterable[tuple[int, Scheme]]) -> Scheme | None:
        """Returns the scheme with the most bytes among (bytes, scheme); None if there is none."""
        return max(allowed, key=lambda pair: pair[0], default=(0, None))[1]
