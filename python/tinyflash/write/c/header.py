"""The header of a compiled model: sizes of its memory, and what its samples and results are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyflash.program import Form, Program
from tinyflash.write.c.names import DEFAULT, check_name
from tinyflash.write.c.ports import hash_of, ports
from tinyflash.write.c.text import comment, string


def header(program: Program, name: str = DEFAULT) -> str:
    """Returns NAME.h. name: of the model in C. Raises ModelError if C cannot have it."""
    prefix = check_name(name).upper()
    return f"""/* {comment(program.name)}
 *
 * Compiled by tinyflash; {name}.c holds the model. Compile again, do not edit.
 *
{ports(program)}
 */
#if defined({prefix}_HASH) && {prefix}_HASH != {hash_of(program)}
#error "two models are named {name}; compile one of them with another --name"
#endif
#ifndef TINYFLASH_GENERATED_{prefix}_H
#define TINYFLASH_GENERATED_{prefix}_H

#include "tinyflash/model.h"

#ifdef __cplusplus
extern "C" {{
#endif

#define {prefix}_NAME "{string(program.name)}"
#define {prefix}_HASH {hash_of(program)} /* keep it with what was learned */

/* RAM for a session (tiny_memory): bytes, each part aligned to 4. */
{sizes(prefix, _memory(program))}

/* The same as elements of uint32_t arrays, which are aligned by themselves. At least 1. */
{words(prefix, _memory(program))}

/* Bytes of one sample, result, row from a source and target; 0: the model has none. */
{sizes(prefix, samples(program))}

/* Labels are below this; 0: the model learns from targets, or only infers. */
#define {prefix}_CLASSES {program.classes}u

/* Shapes, as initialisers; and real = SCALE * (stored - ZERO_POINT). */
{forms(prefix, program)}

extern const tiny_model {name};

#ifdef __cplusplus
}}
#endif

#endif
"""


def _memory(program: Program) -> dict[str, int]:
    return {
        "ARENA": program.arena_bytes,
        "WEIGHTS": len(program.weights),
        "STATE": len(program.state),
    }


def samples(program: Program) -> dict[str, int]:
    """Returns the bytes of what a session takes and gives."""
    return {
        "INPUT": program.input_bytes,
        "OUTPUT": program.output_bytes,
        "ROW": program.row_bytes,
        "TARGET": program.target_bytes,
    }


def sizes(prefix: str, found: Mapping[str, int]) -> str:
    """Returns macros of bytes."""
    return "\n".join(f"#define {prefix}_{key}_BYTES {size}u" for key, size in found.items())


def words(prefix: str, found: Mapping[str, int]) -> str:
    """Returns macros of the same in words."""
    rounded = {key: max(1, -(-size // 4)) for key, size in found.items()}
    return "\n".join(f"#define {prefix}_{key}_WORDS {size}u" for key, size in rounded.items())


def forms(prefix: str, program: Program) -> str:
    """Returns macros of shapes and units."""
    ports = {"INPUT": program.input_form, "OUTPUT": program.output_form}
    ports["TARGET"] = program.target_form
    return "\n".join(
        line
        for key, form in ports.items()
        if form is not None
        for line in _form(f"{prefix}_{key}", form)
    )


def _form(prefix: str, form: Form) -> list[str]:
    """Returns the lines of one port; without a scale, only the shape."""
    lines = [f"#define {prefix}_SHAPE {{{', '.join(map(str, form.shape))}}}"]
    if form.scale is not None:
        lines.append(f"#define {prefix}_SCALE {_literal(form.scale)}")
        zero = f"({form.zero})" if form.zero < 0 else str(form.zero)
        lines.append(f"#define {prefix}_ZERO_POINT {zero}")
    return lines


def _literal(value: float) -> str:
    """Returns a float of C that is exactly this float32."""
    text = np.format_float_scientific(np.float32(value), unique=True, trim="0", exp_digits=1)
    plain = repr(float(text))
    short = plain if len(plain) <= len(text) and "e" not in plain else text
    return f"{short}f"
