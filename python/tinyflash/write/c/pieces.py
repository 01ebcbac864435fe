"""What every source of a model has: its head, macros for buffers, and the `tiny_model` itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tinyflash.paths import source_root
from tinyflash.program import Call, Program, Space
from tinyflash.sources import model_version
from tinyflash.write.c.tables import buffer
from tinyflash.write.c.text import INDENT

_PERMITTED = """\
#ifdef __cplusplus /* which has such initialisers since 2020, compilers have them for longer */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wc++20-extensions"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif"""
_SPACES = ("FLASH", "WEIGHTS", "STATE", "ARENA")


def included(name: str, hash_text: str) -> str:
    """Returns the headers, and what refuses those of another compilation or another library.
    hash_text: NAME_HASH of the header, as a constant of C."""
    version = model_version(source_root())
    return f"""#include "{name}.h"

#if {name.upper()}_HASH != {hash_text}
#error "{name}.h is of another compilation; compile again"
#endif
#if !defined(TINY_MODEL_VERSION) || TINY_MODEL_VERSION != {version}
#error "{name}.c and include/tinyflash are of two versions of tinyflash; compile the model again"
#endif

#include "tinyflash/kernels.h"
#include "tinyflash/ops.h"

{_PERMITTED}"""


def macros() -> str:
    """Defines the macros of buffers, which `end` takes back."""
    spaces = "\n".join(
        f"#define {space}(offset) TINY_BUFFER(TINY_{space}, offset)" for space in _SPACES
    )
    return (
        "/* Weights are two buffers: w, the channels that are trained, and w_frozen. One of them\n"
        " * without channels is FLASH(0), and is never read. s_dy is the scale of dy. */\n"
        f"{spaces}\n#define NONE TINY_NO_BUFFER"
    )


def end() -> str:
    """Returns the end of a source."""
    gone = "\n".join(f"#undef {macro}" for macro in (*_SPACES, "NONE"))
    return f"{gone}\n\n#ifdef __cplusplus\n#pragma GCC diagnostic pop\n#endif"


def model(
    program: Program,
    name: str,
    images: Mapping[Space, str],
    number: Callable[[str, object], object],
    flash_bytes: int,
    hash_text: str,
    ending: str = "",
) -> str:
    """Returns the definition of a `tiny_model`, without `const`. name: its own, with which those of
    its tables begin. images: the initial bytes of spaces. number: what to write for a size, by its
    name in the header and its value. hash_text: a constant of C. ending: of its name alone."""
    sizes = {
        "weights_bytes": len(program.weights),
        "state_bytes": len(program.state),
        "arena_bytes": program.arena_bytes,
    }
    fields = {
        "infer": _table_of(f"{name}_infer", program.infer_calls),
        "train": _table_of(f"{name}_train", program.train_calls),
        "flash": images.get(Space.FLASH, "0"),
        "weights_image": images.get(Space.WEIGHTS, "0"),
        "state_image": images.get(Space.STATE, "0"),
        "flash_bytes": flash_bytes,
        **{key: number(key.upper(), size) for key, size in sizes.items()},
        "input": buffer(program.input),
        "output": buffer(program.output),
        "train_input": buffer(program.train_input),
        "target": buffer(program.target),
        "input_bytes": number("INPUT_BYTES", program.input_bytes),
        "output_bytes": number("OUTPUT_BYTES", program.output_bytes),
        "row_bytes": number("ROW_BYTES", program.row_bytes),
        "target_bytes": number("TARGET_BYTES", program.target_bytes),
        "classes": number("CLASSES", program.classes),
        "hash": number("HASH", hash_text),
    }
    lines = "\n".join(f"{INDENT}.{key} = {value}," for key, value in fields.items())
    return f"tiny_model {name}{ending} = {{\n{lines}\n}};"


def _table_of(name: str, order: tuple[Call, ...]) -> str:
    return f"{{{name}_ops, {name}_calls, {len(order)}}}" if order else "{0, 0, 0}"
