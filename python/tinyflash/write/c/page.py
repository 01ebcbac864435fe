"""The two files of a compiled model: model.h with its sizes, model.c with the model."""

from __future__ import annotations

from collections.abc import Mapping

from tinyflash.program import Buffer, Call, Program
from tinyflash.write.c.images import images
from tinyflash.write.c.records import records
from tinyflash.write.c.tables import buffer, calls, declared, tables
from tinyflash.write.c.text import INDENT, comment, section, string


def header(program: Program) -> str:
    """Returns model.h: the model, and the sizes of the memory that it needs."""
    memory = {
        "ARENA": program.arena_bytes,
        "WEIGHTS": len(program.weights),
        "STATE": len(program.state),
    }
    samples = {
        "INPUT": program.input_bytes,
        "OUTPUT": program.output_bytes,
        "ROW": program.row_bytes,
        "TARGET": program.target_bytes,
    }
    return f"""/* {comment(program.name)}
 *
 * Compiled by tinyflash; model.c holds the model. Compile again, do not edit.
 *
{_ports(program)}
 */
#ifndef TINYFLASH_GENERATED_MODEL_H
#define TINYFLASH_GENERATED_MODEL_H

#include "tinyflash/model.h"

#define MODEL_NAME "{string(program.name)}"
#define MODEL_HASH {_hash(program)}

/* RAM for a session: a tiny_memory with arrays of these sizes, each aligned to 4 bytes. */
{_defines(memory)}

/* Of one sample, result, row from a source and target; 0: the model has none. */
{_defines(samples)}

extern const tiny_model model;

#endif
"""


def _defines(sizes: Mapping[str, int]) -> str:
    return "\n".join(f"#define MODEL_{name}_BYTES {size}u" for name, size in sizes.items())


def source(program: Program) -> str:
    """Returns model.c: records, tables and images."""
    arrays, structs = records(program)
    parts = [
        _title(program),
        f'#include "model.h"\n\n#if MODEL_HASH != {_hash(program)}\n'
        '#error "model.h is of another compilation; compile again"\n#endif\n\n'
        '#include "tinyflash/kernels.h"\n#include "tinyflash/ops.h"',
        declared((*program.infer, *program.train)),
        section("Constants of the channels"),
        *arrays,
        section("Records: shapes and constants of operations, and the rows that use them"),
        *structs,
        section("Operations: kernel, record, buffers with their roles (tinyflash/ops.h)"),
        "/* Weights are two buffers: w, the channels that are trained, and w_frozen. One of them\n"
        " * without channels is FLASH(0), and is never read. s_dy is the scale of dy. */\n"
        "#define FLASH(offset) TINY_BUFFER(TINY_FLASH, offset)\n"
        "#define WEIGHTS(offset) TINY_BUFFER(TINY_WEIGHTS, offset)\n"
        "#define STATE(offset) TINY_BUFFER(TINY_STATE, offset)\n"
        "#define ARENA(offset) TINY_BUFFER(TINY_ARENA, offset)\n"
        "#define NONE TINY_NO_BUFFER",
        *tables(program),
        section("Order of execution: {operation, {first row of its map, rows}}"),
        calls("infer", program.infer_calls, program.infer),
        calls("train", program.train_calls, program.train),
        section("Memory images: little-endian words, each tensor under its offset"),
        *images(program),
        section("The model"),
        _model(program),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _hash(program: Program) -> str:
    return f"0x{program.hash:08X}u"


# ---- The head of the file ------------------------------------------------------------------------


def _title(program: Program) -> str:
    spaces = {
        "FLASH": (len(program.flash), "frozen weights and constants, read only"),
        "WEIGHTS": (len(program.weights), "trained weights and biases"),
        "STATE": (len(program.state), "a tiny_state: step, rate, and the scales of gradients"),
        "ARENA": (program.arena_bytes, "activations and gradients"),
    }
    sizes = "\n".join(f" *   {k:8}{size:>9} bytes  {text}" for k, (size, text) in spaces.items())
    return f"""/* {comment(program.name)}
 *
 * Compiled by tinyflash. Compile again, do not edit. Below: constants and records of operations,
 * the tables of operations, the order of execution, the memory images, the model.
 *
{sizes}
 *
 *   infer   {_size(len(program.infer), program.infer_calls)}
 *   train   {_size(len(program.train), program.train_calls)}
 *   hash    {_hash(program)}
 *
{_ports(program)}
 */"""


def _size(rows: int, order: tuple[Call, ...]) -> str:
    return f"{rows} operations in {len(order)} calls" if rows else "nothing, only for inference"


def _ports(program: Program) -> str:
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


# ---- The model -----------------------------------------------------------------------------------


def _model(program: Program) -> str:
    fields = {
        "infer": _table_of("infer", program.infer_calls),
        "train": _table_of("train", program.train_calls),
        "flash": _pointer("flash", program.flash),
        "weights_image": _pointer("weights", program.weights),
        "state_image": _pointer("state", program.state),
        "flash_bytes": len(program.flash),
        "weights_bytes": "MODEL_WEIGHTS_BYTES",
        "state_bytes": "MODEL_STATE_BYTES",
        "arena_bytes": "MODEL_ARENA_BYTES",
        "input": buffer(program.input),
        "output": buffer(program.output),
        "train_input": buffer(program.train_input),
        "target": buffer(program.target),
        "input_bytes": "MODEL_INPUT_BYTES",
        "output_bytes": "MODEL_OUTPUT_BYTES",
        "row_bytes": "MODEL_ROW_BYTES",
        "target_bytes": "MODEL_TARGET_BYTES",
        "classes": program.classes,
        "hash": "MODEL_HASH",
    }
    lines = "\n".join(f"{INDENT}.{key} = {value}," for key, value in fields.items())
    return f"const tiny_model model = {{\n{lines}\n}};"


def _table_of(name: str, order: tuple[Call, ...]) -> str:
    return f"{{{name}_ops, {name}_calls, {len(order)}}}" if order else "{0, 0, 0}"


def _pointer(name: str, data: bytes) -> str:
    return f"(const uint8_t *){name}_image" if data else "0"
