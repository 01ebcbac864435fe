"""The source of a compiled model: records, tables, order of execution, memory images."""

from __future__ import annotations

from tinyflash.program import Call, Program, Space
from tinyflash.write.c.images import images
from tinyflash.write.c.names import DEFAULT, check_name
from tinyflash.write.c.pieces import end, included, macros, model
from tinyflash.write.c.ports import hash_of, ports
from tinyflash.write.c.records import records
from tinyflash.write.c.tables import calls, declared, tables
from tinyflash.write.c.text import comment, section


def source(program: Program, name: str = DEFAULT) -> str:
    """Returns NAME.c. Every name in it begins with the model's, so that one file may include those
    of several models. Raises ModelError if C cannot have the name."""
    check_name(name)
    arrays, structs = records(program, name)
    parts = [
        _title(program),
        included(name, hash_of(program)),
        declared((*program.infer, *program.train)),
        section("Constants of the channels"),
        *arrays,
        section("Records: shapes and constants of operations, and the rows that use them"),
        *structs,
        section("Operations: kernel, record, buffers with their roles (tinyflash/ops.h)"),
        macros(),
        *tables(program, name),
        section("Order of execution: {operation, {first row of its map, rows}}"),
        calls(f"{name}_infer", program.infer_calls, program.infer),
        calls(f"{name}_train", program.train_calls, program.train),
        section("Memory images: little-endian words, each tensor under its offset"),
        *images(program, name),
        section("The model"),
        _model(program, name),
        end(),
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


# ---- The model -----------------------------------------------------------------------------------


def _model(program: Program, name: str) -> str:
    spaces = (Space.FLASH, Space.WEIGHTS, Space.STATE)
    data = dict(zip(spaces, (program.flash, program.weights, program.state), strict=True))
    images = {s: f"(const uint8_t *){name}_{s.name.lower()}_image" for s in spaces if data[s]}
    prefix = name.upper()
    facts = len(program.flash), hash_of(program)
    return f"const {model(program, name, images, lambda key, _: f'{prefix}_{key}', *facts)}"
