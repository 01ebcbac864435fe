"""tinyflash bench quantize: compares int8 outputs to float, and to ONNX Runtime's int8."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from tinyflash.cli import options
from tinyflash.files import write_json
from tinyflash.show.console import noting, output, say, table

if TYPE_CHECKING:
    from tinyflash.bench.quantize.run import Learned, Row


@click.command("quantize", cls=options.Command)
@click.option("--quick", is_flag=True, help="Few samples: a smoke test.")
@click.option("--network", "networks", multiple=True, help="Only this network; may be repeated.")
@options.json_rows
def quantize(quick: bool, networks: tuple[str, ...], json_path: Path | None) -> None:
    """Compare int8 to float, for tinyflash and ONNX Runtime.

    Compares the outputs of four networks. Needs torch, and ONNX Runtime for its column (in the
    checkout: pip install '.[bench]'). Each network then learns a few samples with the C library.
    """
    from tinyflash.bench.quantize.run import NETWORKS, QUICK, WHOLE, compare, learn, subject

    chosen, rows, learned = networks or NETWORKS, [], []
    with noting("quantize", len(chosen)) as listen, tempfile.TemporaryDirectory() as folder:
        for done, name in enumerate(chosen):

            def tell(what: str, done: int = done, name: str = name) -> None:
                listen(done, f"{name}: {what}")

            tell("float network")
            one = subject(name, QUICK if quick else WHOLE, Path(folder))
            rows += compare(one, tell)
            tell("learns")
            learned.append(learn(one))
        listen(len(chosen), "")
    output().print(_table(rows))
    output().print(_learned(learned))
    if json_path is not None:
        content = {"rows": [asdict(r) for r in rows], "learned": [asdict(r) for r in learned]}
        write_json(json_path, content)
        say(f"wrote {json_path}")


def _table(rows: list[Row]) -> Table:
    shown = table(
        "Networks in int8 against float",
        *("network", "quantizer", ">samples", ">answers differ", ">accuracy", ">SNR dB"),
    )
    for before, row in zip([None, *rows], rows, strict=False):
        if before is not None and before.network != row.network:
            shown.add_section()
        shown.add_row(
            row.network,
            row.quantizer,
            f"{row.samples:,}",
            f"{row.disagreement:.2f} %",
            "" if row.accuracy is None else f"{row.accuracy:.2f} %",
            "" if row.snr_db is None else f"{row.snr_db:.1f}",
        )
    return shown


def _learned(learned: list[Learned]) -> Table:
    shown = table("Learning in int8", "network", ">steps", ">loss before", ">loss after")
    for one in learned:
        numbers = f"{one.loss_before:.3f}", f"{one.loss_after:.3f}"
        shown.add_row(one.network, str(one.steps), *numbers)
    return shown
