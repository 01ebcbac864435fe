"""Draws the demo's table as a terminal shows it, as an SVG file for web pages."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tinyflash.files import write_bytes

WIDTH = 88  # columns: the table is 85 wide
# rich's own frame loads its font from a server; pages that embed pictures forbid that.
FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix" xml:space="preserve">{matrix}</g>
</g>
</svg>
"""


def draw_terminal(path: Path, command: str, table: Table) -> None:
    """Writes an SVG of `command` as typed and the table that it prints."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), highlight=False,
        force_terminal=True, color_system="truecolor", legacy_windows=False,
    )  # fmt: skip
    console.print(f"[bold]$ {command}[/]\n")
    console.print(table)
    svg = console.export_svg(title="tinyflash", code_format=FRAME, unique_id="demo")
    write_bytes(path, "\n".join(line.rstrip() for line in svg.splitlines()).encode() + b"\n")
