"""The training schemes that come with the package."""

from __future__ import annotations

from importlib.resources import files

from tinyflash.passes.scheme import Scheme, parse_scheme


def scheme(name: str) -> Scheme:
    """schemes/<name>.toml of the package."""
    path = files("tinyflash") / "schemes" / f"{name}.toml"
    return parse_scheme(path.read_text(encoding="utf-8"), str(path))
