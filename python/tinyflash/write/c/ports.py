"""Comments for both files of a model: what its inputs and outputs are, and its hash."""

from __future__ import annotations

from tinyflash.program import Buffer, Program
from tinyflash.write.c.text import comment


def hash_of(program: Program) -> str:
    """Returns the program's hash as a constant of C."""
    return f"0x{program.hash:08X}u"


def ports(program: Program) -> str:
    """Describes input, output, and labels or targets."""
    notes = {
        "input": _port(program.input_note, program.input, program.input_bytes),
        "output": _port(program.output_note, program.output, program.output_bytes),
    }
    if program.target is not None:
        notes["target"] = _port(program.target_note, program.target, program.target_bytes)
    elif program.classes:
        notes["label"] = f"0 to {program.classes - 1}"
    return "\n".join(f" *   {name:6}  {note}" for name, note in notes.items())


def _port(note: str, place: Buffer | None, nbytes: int) -> str:
    """Describes one port. The input of a model with a row source has no buffer."""
    text = comment(note) if note else f"{nbytes} bytes"
    return f"{text}, by rows from a source" if place is None else text
