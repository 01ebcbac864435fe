"""Prints how well a network answers, from the dict of `training.scores`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from tinyflash.show.console import output, table

Fields = dict[str, Any]

ROWS = 20  # classes or outputs that a table lists; of more, the worst
CONFUSIONS = 10  # pairs of classes that the list of confusions has
_NAME = 20  # letters of a name


def print_scores(title: str, scores: Fields) -> None:
    """Prints summary and tables to standard output. scores: `model`, `board`, and what
    `Question.score` returns."""
    terminal = output()
    parts = {"classes": _of_classes, "events": _of_events, "numbers": _of_numbers}
    terminal.print(f"{title}: {_plural(scores['samples'], 'sample')}", markup=False, soft_wrap=True)
    for part in parts[scores["task"]](scores, terminal.width):
        terminal.print(part, markup=False, soft_wrap=isinstance(part, str))


def _of_classes(scores: Fields, width: int) -> Iterator[str | Table]:
    yield (
        f"accuracy {_percent(scores['accuracy'])} ({scores['correct']:,} of "
        f"{scores['samples']:,}); always the most frequent class: "
        f"{_percent(scores['most_frequent'])}"
    )
    loss = "" if scores["loss"] is None else f"loss {scores['loss']:.4g} nats; "
    yield f"{loss}F1, mean of the classes: {_percent(scores['macro_f1'])}"
    rows, wrong = scores["classes"], scores["confusions"]
    if scores["top_5"] is not None:
        yield f"among the five highest scores: {_percent(scores['top_5'])}"
    shown = _worst(rows, "f1")
    yield _counted(
        "each class", "class", shown, ("samples", "predicted", "correct"),
        ("precision", "recall", "f1"), _rest(rows, shown, "classes"),
    )  # fmt: skip
    if scores["confusion"] is not None and _matrix_width(scores) <= width:
        yield _matrix(scores)
    elif wrong:
        yield _list(rows, wrong)


def _of_events(scores: Fields, _width: int) -> Iterator[str | Table]:
    yield (
        f"accuracy {_percent(scores['accuracy'])} ({scores['correct']:,} of "
        f"{scores['answers']:,} answers); every answer right: {_percent(scores['all_correct'])} "
        "of the samples"
    )
    yield f"loss {scores['loss']:.4g} nats; F1, mean of the outputs: {_percent(scores['macro_f1'])}"
    shown = _worst(scores["outputs"], "f1")
    yield _counted(
        "each output", "output", shown, ("yes", "said_yes", "both"),
        ("accuracy", "precision", "recall", "f1"), _rest(scores["outputs"], shown, "outputs"),
    )  # fmt: skip


def _of_numbers(scores: Fields, _width: int) -> Iterator[str | Table]:
    r2 = "" if scores["r2"] is None else f"; R2 {scores['r2']:.3f}"
    yield f"loss {scores['loss']:.4g} (mean squared error); RMSE {scores['rmse']:.4g}{r2}"
    yield f"mean absolute error {scores['mae']:.4g}; largest {scores['largest']:.4g}"
    rows = scores["outputs"]
    if len(rows) == 1:
        return
    shown = sorted(rows, key=lambda row: -row["rmse"])[:ROWS] if len(rows) > ROWS else rows
    new = table("each output", "output", ">RMSE", ">mean abs.", ">largest", ">bias", ">R2")
    for row in shown:
        figures = (f"{row[key]:.4g}" for key in ("rmse", "mae", "largest", "bias"))
        new.add_row(_label(row), *figures, "-" if row["r2"] is None else f"{row['r2']:.3f}")
    new.caption = _rest(rows, shown, "outputs")
    yield new


def _worst(rows: list[Fields], key: str) -> list[Fields]:
    """Returns all rows, or of many those with the lowest value, undefined ones left out."""
    if len(rows) <= ROWS:
        return rows
    defined = [row for row in rows if row[key] is not None]
    return sorted(defined, key=lambda row: float(row[key]))[:ROWS]


def _rest(rows: list[Fields], shown: list[Fields], what: str) -> str:
    if len(shown) == len(rows):
        return ""
    return f"the worst {len(shown)} of {len(rows)} {what}; --json has all"


def _counted(
    title: str, what: str, rows: list[Fields], counts: tuple[str, ...], shares: tuple[str, ...],
    caption: str,
) -> Table:  # fmt: skip
    heads = [f">{key.replace('_', ' ').replace('f1', 'F1')}" for key in (*counts, *shares)]
    new = table(title, what, *heads)
    for row in rows:
        numbers = [f"{row[key]:,}" for key in counts]
        new.add_row(_label(row), *numbers, *(_percent(row[key]) for key in shares))
    new.caption = caption
    return new


# ---- Confusion -----------------------------------------------------------------------------------


def _matrix_width(scores: Fields) -> int:
    names = max(len(_label(row)) for row in scores["classes"])
    return max(names, 4) + 4 + len(scores["classes"]) * (_cell_width(scores) + 2)


def _cell_width(scores: Fields) -> int:
    most = max(max(row) for row in scores["confusion"])
    return max(len(f"{most:,}"), len(str(len(scores["classes"]) - 1)))


def _matrix(scores: Fields) -> Table:
    rows = scores["classes"]
    new = table("confusion: true class by row, answer by column", "true")
    for row in rows:
        new.add_column(str(row["label"]), justify="right", min_width=_cell_width(scores))
    for row, counts in zip(rows, scores["confusion"], strict=True):
        new.add_row(_label(row), *(f"{count:,}" if count else "." for count in counts))
    return new


def _list(rows: list[Fields], wrong: list[Fields]) -> Table:
    new = table("most frequent confusions", "true", "answer", ">samples", ">of this class")
    for error in wrong[:CONFUSIONS]:
        label, count = rows[error["label"]], error["samples"]
        share = _percent(100 * count / label["samples"])
        new.add_row(_label(label), _label(rows[error["answer"]]), f"{count:,}", share)
    if len(wrong) > CONFUSIONS:
        new.caption = f"the first {CONFUSIONS} of {len(wrong)} pairs; --json has all"
    return new


def _label(row: Fields) -> str:
    """Returns the number of a class or an output, and its name, shortened."""
    number, name = str(row.get("label", row.get("output"))), row["name"]
    if name is None:
        return number
    return f"{number} {name if len(name) <= _NAME else name[: _NAME - 3] + '...'}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1f} %"


def _plural(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
