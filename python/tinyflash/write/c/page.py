"""The source of a compiled model: records, tables, order of execution, memory images."""

from __future__ import annotations

from tinyflash.paths import source_root
from tinyflash.program import Call, Program
from tinyflash.sources import model_version
from tinyflash.write.c.images import images
from tinyflash.write.c.names import DEFAULT, check_name
from tinyflash.write.c.ports import hash_of, ports
from tinyflash.write.c.records import records
from tinyflash.write.c.tables import buffer, calls, declared, tables
from tinyflash.write.c.text import INDENT, comment, section

_PERMITTED = """\
#ifdef __cplusplus /* which has such initialisers since 2020, compilers have them for longer */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wc++20-extensions"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif"""
_SPACES = ("FLASH", "WEIGHTS", "STATE", "ARENA")


def source(program: Program, name: str = DEFAULT) -> str:
    """Returns NAME.c. Every name in it begins with the model's, so that one file may include those
    of several models. Raises ModelError if C cannot have the name."""
    check_name(name)
    arrays, structs = records(program, name)
    parts = [
        _title(program),
        _included(program, name),
        declared((*program.infer, *program.train)),
        section("Constants of the channels"),
        *arrays,
        section("Records: shapes and constants of operations, and the rows that use them"),
        *structs,
        section("Operations: kernel, record, buffers with their roles (tinyflash/ops.h)"),
        _macros(),
        *tables(program, name),
        section("Order of execution: {operation, {first row of its map, rows}}"),
        calls(f"{name}_infer", program.infer_calls, program.infer),
        calls(f"{name}_train", program.train_calls, program.train),
        section("Memory images: little-endian words, each tensor under its offset"),
        *images(program, name),
        section("The model"),
        _model(program, name),
        "\n".join(f"#undef {macro}" for macro in (*_SPACES, "NONE")),
        "#ifdef __cplusplus\n#pragma GCC diagnostic pop\n#endif",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


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
 *   hash    {hash_of(program)}
 *
{ports(program)}
 */"""


def _size(rows: int, order: tuple[Call, ...]) -> str:
    return f"{rows} operations in {len(order)} calls" if rows else "nothing, only for inference"


def _included(program: Program, name: str) -> str:
    """Returns the headers, and what refuses those of another compilation or another library."""
    version = model_version(source_root())
    return f"""#include "{name}.h"

#if {name.upper()}_HASH != {hash_of(program)}
#error "{name}.h is of another compilation; compile again"
#endif
#if !defined(TINY_MODEL_VERSION) || TINY_MODEL_VERSION != {version}
#error "{name}.c and include/tinyflash are of two versions of tinyflash; compile the model again"
#endif

#include "tinyflash/kernels.h"
#include "tinyflash/ops.h"

{_PERMITTED}"""


def _macros() -> str:
    spaces = "\n".join(
        f"#define {space}(offset) TINY_BUFFER(TINY_{space}, offset)" for space in _SPACES
    )
    return (
        "/* Weights are two buffers: w, the channels that are trained, and w_frozen. One of them\n"
        " * without channels is FLASH(0), and is never read. s_dy is the scale of dy. */\n"
        f"{spaces}\n#define NONE TINY_NO_BUFFER"
    )


# ---- The model -----------------------------------------------------------------------------------


def _model(program: Program, name: str) -> str:
    prefix = name.upper()
    fields = {
        "infer": _table_of(f"{name}_infer", program.infer_calls),
        "train": _table_of(f"{name}_train", program.train_calls),
        "flash": _pointer(f"{name}_flash", program.flash),
        "weights_image": _pointer(f"{name}_weights", program.weights),
        "state_image": _pointer(f"{name}_state", program.state),
        "flash_bytes": len(program.flash),
        "weights_bytes": f"{prefix}_WEIGHTS_BYTES",
        "state_bytes": f"{prefix}_STATE_BYTES",
        "arena_bytes": f"{prefix}_ARENA_BYTES",
        "input": buffer(program.input),
        "output": buffer(program.output),
        "train_input": buffer(program.train_input),
        "target": buffer(program.target),
        "input_bytes": f"{prefix}_INPUT_BYTES",
        "output_bytes": f"{prefix}_OUTPUT_BYTES",
        "row_bytes": f"{prefix}_ROW_BYTES",
        "target_bytes": f"{prefix}_TARGET_BYTES",
        "classes": f"{prefix}_CLASSES",
        "hash": f"{prefix}_HASH",
    }
    lines = "\n".join(f"{INDENT}.{key} = {value}," for key, value in fields.items())
    return f"const tiny_model {name} = {{\n{lines}\n}};"


def _table_of(name: str, order: tuple[Call, ...]) -> str:
    return f"{{{name}_ops, {name}_calls, {len(order)}}}" if order else "{0, 0, 0}"


def _pointer(name: str, data: bytes) -> str:
    return f"(const uint8_t *){name}_image" if data else "0"
