"""The training schemes that come with the package."""

from __future__ import annotations

from importlib.resources import files

from tinyflash.scheme.parse import parse_scheme
from tinyflash.scheme.rules import Scheme


def scheme(name: str) -> Scheme:
    """Loads the scheme <name>.toml of this folder."""
    path = files(__name__) / f"{name}.toml"
    return parse_scheme(path.read_text(encoding="utf-8"), str(path))
