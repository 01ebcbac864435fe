"""Training schemes: which weights and biases are trained, with which loss and optimizer."""

from tinyflash.scheme.catalogue import scheme
from tinyflash.scheme.parse import load_scheme, parse_scheme
from tinyflash.scheme.resolve import LayerUpdate, resolve
from tinyflash.scheme.rules import Rule, Scheme

__all__ = ["LayerUpdate", "Rule", "Scheme", "load_scheme", "parse_scheme", "resolve", "scheme"]
