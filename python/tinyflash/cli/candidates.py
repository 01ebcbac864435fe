"""tinyflash compile --candidate: several schemes of one network, among which a board chooses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tinyflash.boards import Board, counted_core, kernels_for
from tinyflash.cli import options
from tinyflash.compiler.longest import Bound
from tinyflash.compiler.plan import Effort
from tinyflash.errors import BoardError, SchemeError
from tinyflash.files import write_json
from tinyflash.graph import Graph
from tinyflash.program import Program
from tinyflash.scheme import Scheme, load_scheme
from tinyflash.search.candidates import CompiledChoices, compile_choices
from tinyflash.show.console import output as console
from tinyflash.show.console import say, table, tell
from tinyflash.write.c.choices import ChoicesPage
from tinyflash.write.choices import write_choices

REPORT = "candidates.json"
candidates = click.option(
    "--candidate",
    "candidates",
    type=options.PATH,
    multiple=True,
    metavar="SCHEME",
    help="A scheme file among which the board chooses from its own samples, instead of --scheme; "
    "repeat it, the preferred one first.",
)


@dataclass(frozen=True)
class Asked:
    """What the command was asked for, besides the schemes."""

    board: Board | None
    rows: bool
    effort: Effort
    longest_call: int | None
    seed: int
    name: str
    as_json: bool
    output: Path


def check_alone(given: dict[str, object]) -> None:
    """Raises SchemeError for options that --candidate has no use for. given: by their names."""
    for name, value in given.items():
        if value:
            raise SchemeError(f"--candidate files are whole schemes; leave {name} out")


def compile_candidates(graph: Graph, paths: Sequence[Path], asked: Asked) -> None:
    """Writes NAME.c, NAME.h and candidates.json, and prints the sizes."""
    call, board = asked.longest_call, asked.board
    compiled = compile_choices(
        graph,
        _schemes(paths),
        None,
        asked.seed,
        asked.rows,
        asked.effort,
        kernels_for(board),
        Bound(call, counted_core(board)) if call else None,
    )
    page = ChoicesPage(compiled.choices, asked.name)
    _check_fits(page, board)
    write_choices(compiled.choices, asked.output, asked.name)
    report = _report(compiled, page)
    write_json(asked.output / REPORT, report)
    if asked.as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        _print(report)
    say(f"wrote {asked.name}.c, {asked.name}.h and {REPORT} to {asked.output}")


def _schemes(paths: Sequence[Path]) -> dict[str, Scheme]:
    found: dict[str, Scheme] = {}
    for number, path in enumerate(paths):
        if path in paths[:number]:
            raise SchemeError(f"{path} is given twice; leave one out")
        name = path.stem.removesuffix(".scheme").replace("-", "_")
        if name in found:
            raise SchemeError(f"{path}: another candidate is named {name}, too; rename the file")
        found[name] = load_scheme(path)
        if found[name].fisher:
            tell(f"{path}: has fisher; only the judge needs the statistic, so leave it out")
    return found


def _check_fits(page: ChoicesPage, board: Board | None) -> None:
    """The user's own firmware is not known: only what can never fit is refused."""
    if board is None:
        return
    largest = max((region.size for region in board.used_ram), default=0)
    if page.memory_bytes > largest:
        raise BoardError(
            f"board {board.name}: the largest of these models takes {page.memory_bytes:,} bytes, "
            f"and the largest memory has {largest:,}; train fewer channels or layers"
        )


def _report(compiled: CompiledChoices, page: ChoicesPage) -> dict[str, Any]:
    """Returns what candidates.json has."""
    return {
        "name": page.name,
        "hash": page.hash[2:10].lower(),
        "memory_bytes": page.memory_bytes,
        "image_bytes": page.image_bytes,
        "image_bytes_apart": sum(_images(p) for p in compiled.choices.programs),
        "judge": _sizes(compiled.choices.judge),
        "candidates": [
            {
                "name": one.name,
                **_sizes(one.program),
                "layers": {layer.name: layer.share / (1 << 16) for layer in one.layers},
            }
            for one in compiled.choices.candidates
        ],
    }


def _images(program: Program) -> int:
    return len(program.flash) + len(program.weights) + len(program.state)


def _sizes(program: Program) -> dict[str, Any]:
    return {
        "hash": f"{program.hash:08x}",
        "arena_bytes": program.arena_bytes,
        "weights_bytes": len(program.weights),
        "state_bytes": len(program.state),
    }


def _print(report: dict[str, Any]) -> None:
    grid = table("", "model", "arena", "weights", "state", "hash")
    for row in ({"name": "judge", **report["judge"]}, *report["candidates"]):
        sizes = [f"{row[f'{space}_bytes']:,}" for space in ("arena", "weights", "state")]
        grid.add_row(row["name"], *sizes, row["hash"])
    console().print(grid)
    click.echo(
        f"SRAM of one at a time: {report['memory_bytes']:,} bytes. Flash of all images: "
        f"{report['image_bytes']:,} bytes; each by itself: {report['image_bytes_apart']:,}."
    )
