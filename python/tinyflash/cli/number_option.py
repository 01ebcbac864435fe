"""An option that is a number in a range."""

from __future__ import annotations

import math
from typing import Any

import click


class Number(click.FloatRange):
    """A range that has no nan, which click lets through, as no comparison with it holds; no inf."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return found
