"""What a search found, as plain data for a page and for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import prod
from typing import Any

from tinyflash.scheme.text import scheme_text
from tinyflash.search.designs.jobs import Results
from tinyflash.search.designs.layers import shapes, weight_shape
from tinyflash.search.designs.mcus import Mcu, front, latest, mcus
from tinyflash.search.designs.searching import Found, Request, scheme_file
from tinyflash.search.designs.stage2 import Tried

Fields = dict[str, Any]


def report_of(found: Found, request: Request, tick: Callable[[], None]) -> Fields:
    """Returns the report. tick: called after each board that networks were planned for."""
    results = Results(request.folder / "results.jsonl")
    best = front(found.tried, found.limits)
    boards = mcus([found.best, *best, *latest(found.tried)], found.limits, results, tick)
    return {
        "data": request.source.name,
        "board": request.board.name,
        "seed": request.seed,
        "minutes": request.minutes,
        "limits": {
            "sram": found.limits.sram,
            "flash": found.limits.flash,
            "step": found.limits.step,
        },
        "space": str(found.best.design.space),
        "late": found.late,
        "found": _found(found),
        "scheme": _scheme(found, request),
        "design": found.best.design.to_json(),
        "layers": _layers(found),
        "tried": [_point(one, found, best) for one in latest(found.tried)],
        "smallest": _smallest(boards, found),
        "mcus": [_mcu(one, found, request) for one in boards],
        "spaces": [
            {
                **asdict(one.space),
                "space": str(one.space),
                "drawn": len(one.fits),
                "fit": sum(one.fits),
                "macs": one.macs,
                "chosen": one.space in found.spaces,
            }
            for one in found.surveyed
        ],
    }


def _smallest(boards: Sequence[Mcu], found: Found) -> str | None:
    """Returns the smallest board that takes the chosen network; None if none was planned for."""
    mine = [m.board.name for m in boards if m.best and m.best.design == found.best.design]
    return mine[0] if mine else None


def _found(found: Found) -> Fields:
    image, cost = found.trainable.image, found.trainable.cost
    return {
        "test": found.test,
        "test_samples": len(found.task.test),
        "validation": found.final.accuracy,
        "samples": found.samples,
        "macs": found.best.design.macs,
        "linked": image is not None,
        "sram": image.sram if image else cost.sram,
        "flash": image.flash if image else cost.rom,
        "step": cost.step,
        "instructions": cost.instructions,
        "trained_bytes": found.trainable.trained_bytes,
    }


def _scheme(found: Found, request: Request) -> Fields:
    """What is trained on the board, and what it was compared with."""
    one = found.trainable
    return {
        "file": scheme_file(request.folder).name,
        "method": one.method,
        "rate": one.judged and one.judged.rate,
        "text": scheme_text(one.scheme),
        "compared": [
            {
                "method": other.method,
                "loss": other.judged and other.judged.loss,
                "accuracy": other.judged and other.judged.accuracy,
                "rate": other.judged and other.judged.rate,
                "sram": other.size.sram,
                "chosen": other.scheme == one.scheme,
            }
            for other in one.compared
        ],
    }


def _layers(found: Found) -> list[Fields]:
    design = found.best.design
    sizes, rows = shapes(design.shape, design.layers), []
    for layer in design.layers:
        macs = 0
        if layer.has_weights:
            channels = sizes[layer.inputs[0]][-1]
            macs = prod(weight_shape(layer, channels)) * prod(sizes[layer.name][:-1])
        kernel = "" if layer.kernel == (1, 1) else "x".join(map(str, layer.kernel))
        rows.append(
            {
                "name": layer.name,
                "operator": layer.operator,
                "output": list(sizes[layer.name]),
                "kernel": kernel,
                "macs": macs,
            }
        )
    return rows


def _point(one: Tried, found: Found, best: list[Tried]) -> Fields:
    chosen = one.design == found.best.design
    return {
        "key": one.design.key,
        "space": str(one.design.space),
        "samples": one.samples,
        "accuracy": one.score.accuracy,
        "macs": one.cost.macs,
        "sram": one.cost.sram,
        "flash": found.limits.flash_of(one.cost),
        "instructions": one.cost.instructions,
        "step": one.cost.step,
        "kind": "best" if chosen else "front" if one in best else "tried",
    }


def _mcu(one: Mcu, found: Found, request: Request) -> Fields:
    board, cost = one.board, one.cost
    return {
        "board": board.name,
        "mcu": board.mcu,
        "sram_bytes": board.sram_bytes,
        "flash_bytes": board.flash_bytes,
        "accuracy": one.best.score.accuracy if one.best else None,
        "key": one.best.design.key if one.best else None,
        "sram": cost.sram if cost else None,
        "flash": found.limits.flash_of(cost) if cost else None,
        "step": cost.step if cost else None,
        "chosen": board.name == request.board.name,
    }
