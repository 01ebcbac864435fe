"""Writes several models of one network as one source, with the tables by which a board chooses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tinyflash.choices import Candidate, Choices, JudgedLayer, JudgedMap
from tinyflash.program import Space
from tinyflash.write.c.header import forms, samples, sizes, words
from tinyflash.write.c.images import image
from tinyflash.write.c.names import check_name
from tinyflash.write.c.pieces import end, included, macros, model
from tinyflash.write.c.pool import Pool, pooled
from tinyflash.write.c.ports import hash_of, ports
from tinyflash.write.c.records import written
from tinyflash.write.c.tables import calls, declared, table
from tinyflash.write.c.text import INDENT, comment, section, string, wrapped

# Ends the names of models: a candidate may be called as an array is, "maps" or "early_layers".
MODEL = "_model"


@dataclass(frozen=True)
class ChoicesPage:
    """NAME.c and NAME.h of a judge and its candidates. Raises ModelError if C cannot have the
    name."""

    choices: Choices
    name: str

    def __post_init__(self) -> None:
        check_name(self.name)

    @cached_property
    def pool(self) -> Pool:
        return pooled(self.choices.programs)

    @property
    def members(self) -> tuple[str, ...]:
        """The names of the models in C, the judge's first."""
        names = ("judge", *(candidate.name for candidate in self.choices.candidates))
        return tuple(f"{self.name}_{name}" for name in names)

    @property
    def hash(self) -> str:
        """Identifies the compilation."""
        text = repr([program.hash for program in self.choices.programs])
        digest = hashlib.sha256(text.encode()).digest()
        return f"0x{int.from_bytes(digest[:4], 'little'):08X}u"

    @property
    def image_bytes(self) -> int:
        """Flash of the images of all models: weights, constants, initial states."""
        return len(self.pool.image) + sum(len(p.state) for p in self.choices.programs)

    @property
    def memory_bytes(self) -> int:
        """RAM of the largest model: its spaces, each in whole words."""
        return max(
            sum(-(-size // 4) * 4 for size in (len(p.weights), len(p.state), p.arena_bytes))
            for p in self.choices.programs
        )

    # ---- The header ------------------------------------------------------------------------------

    def header(self) -> str:
        """Returns NAME.h."""
        judge, prefix = self.choices.judge, self.name.upper()
        return f"""/* {comment(judge.name)}: {len(self.choices.candidates)} schemes of one network
 *
 * Compiled by tinyflash; {self.name}.c holds the models. Compile again, do not edit.
 * A board chooses one of them from its own samples: tinyflash/choose.h.
 *
{ports(judge)}
 *
 *   bytes of {"ARENA":>12}{"WEIGHTS":>9}{"STATE":>7}
{self._memories()}
 */
#ifndef TINYFLASH_GENERATED_{prefix}_H
#define TINYFLASH_GENERATED_{prefix}_H

#include "tinyflash/choose.h"

#ifdef __cplusplus
extern "C" {{
#endif

#define {prefix}_NAME "{string(judge.name)}"
#define {prefix}_HASH {self.hash} /* of all of them; what was learned belongs to its model's */

/* The candidates: indices of {self.name}.candidates. */
{self._numbers(prefix)}

/* RAM for a session of any of them, since only one is alive: a block as large as the largest, for
 * tiny_choose_init; words are elements of a uint32_t array. Or each space apart, for tiny_init. */
{sizes(prefix, {"MEMORY": self.memory_bytes})}
{words(prefix, {"MEMORY": self.memory_bytes})}
{words(prefix, self._largest())}

/* Bytes of one sample, result, row from a source and target; 0: the models have none. */
{sizes(prefix, samples(judge))}

/* Labels are below this; 0: the models learn from targets. */
#define {prefix}_CLASSES {judge.classes}u

/* Shapes, as initialisers; and real = SCALE * (stored - ZERO_POINT). */
{forms(prefix, judge)}

extern const tiny_choices {self.name};

#ifdef __cplusplus
}}
#endif

#endif
"""

    def _memories(self) -> str:
        names = [name.removeprefix(f"{self.name}_") for name in self.members]
        return "\n".join(
            f" *   {name:11}{p.arena_bytes:>10}{len(p.weights):>9}{len(p.state):>7}"
            for name, p in zip(names, self.choices.programs, strict=True)
        )

    def _numbers(self, prefix: str) -> str:
        lines = [
            f"#define {prefix}_CHOICE_{candidate.name.upper()} {i}u"
            for i, candidate in enumerate(self.choices.candidates)
        ]
        return "\n".join([*lines, f"#define {prefix}_CHOICES {len(lines)}u"])

    def _largest(self) -> dict[str, int]:
        all_ = self.choices.programs
        return {
            "ARENA": max(p.arena_bytes for p in all_),
            "WEIGHTS": max(len(p.weights) for p in all_),
            "STATE": max(len(p.state) for p in all_),
        }

    # ---- The source ------------------------------------------------------------------------------

    def source(self) -> str:
        """Returns NAME.c."""
        pool, name = self.pool, self.name
        rows = [row for p in pool.programs for row in (*p.infer, *p.train)]
        arrays, structs = written(pool.records, [""] * len(pool.records), name)
        parts = [
            self._title(),
            included(name, self.hash),
            declared(rows),
            section("Constants of the channels"),
            *arrays,
            section("Records: shapes and constants of operations"),
            *structs,
            section("Operations: kernel, record, buffers with their roles (tinyflash/ops.h)"),
            macros(),
            *self._tables(),
            section("Memory images: little-endian words, each tensor under its offset"),
            image(f"{name}_pool", pool.image, pool.contents),
            *self._states(),
            section("The models"),
            *self._models(),
            section("The choice: maps that are judged, and the layers that candidates train"),
            *self._choice(),
            end(),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _title(self) -> str:
        return f"""/* {comment(self.choices.judge.name)}: a judge, and candidates ({self.name}.h)
 *
 * Compiled by tinyflash. Compile again, do not edit. What several models have in common is here
 * once: constants of channels, records, and tensors of the images.
 */"""

    def _tables(self) -> Iterator[str]:
        for name, program in zip(self.members, self.pool.programs, strict=True):
            yield section(name)
            for kind, rows, order in (
                ("infer", program.infer, program.infer_calls),
                ("train", program.train, program.train_calls),
            ):
                member = name.removeprefix(f"{self.name}_")
                yield table(self.name, f"{member}_{kind}", rows, self.pool.records)
                yield calls(f"{name}_{kind}", order, rows)

    def _states(self) -> Iterator[str]:
        for name, program in zip(self.members, self.choices.programs, strict=True):
            yield image(f"{name}_state", program.state, program.contents.get(Space.STATE, ()))

    def _models(self) -> Iterator[str]:
        pool = f"(const uint8_t *){self.name}_pool_image"
        hashes = [hash_of(program) for program in self.choices.programs]
        for name, program, at, own in zip(
            self.members, self.pool.programs, self.pool.weights_at, hashes, strict=True
        ):
            images = {Space.FLASH: pool, Space.STATE: f"(const uint8_t *){name}_state_image"}
            if program.weights:
                images[Space.WEIGHTS] = f"{pool} + {at}"
            facts = len(self.pool.image), own, MODEL
            yield f"static const {model(program, name, images, lambda _, value: value, *facts)}"

    # ---- The choice ------------------------------------------------------------------------------

    def _choice(self) -> Iterator[str]:
        name, judged = self.name, self.choices.maps
        body = "\n".join(f"{INDENT}/* {comment(m.name)} */ {_map(m)}," for m in judged)
        yield f"static const tiny_judged_map {name}_maps[] = {{\n{body}\n}};"
        for member, candidate in zip(self.members[1:], self.choices.candidates, strict=True):
            yield from self._layers(member, candidate)
        rows = "\n".join(
            f"{INDENT}{{&{m}{MODEL}, {f'{m}_layers' if c.layers else '0'}, {len(c.layers)}}},"
            for m, c in zip(self.members[1:], self.choices.candidates, strict=True)
        )
        yield f"static const tiny_candidate {name}_candidates[] = {{\n{rows}\n}};"
        count = len(self.choices.candidates)
        fields = f"&{name}_judge{MODEL}, {name}_maps, {name}_candidates, {len(judged)}, {count}"
        yield f"const tiny_choices {name} = {{{fields}}};"

    def _layers(self, member: str, candidate: Candidate) -> Iterator[str]:
        rows = []
        for i, layer in enumerate(candidate.layers):
            mask = "0"
            if layer.mask is not None:
                mask = f"{member}_mask_{i}"
                yield _mask(mask, layer.mask)
            rows.append(f"{INDENT}/* {comment(layer.name)} */ {_layer(layer, mask)},")
        if rows:
            body = "\n".join(rows)
            yield f"static const tiny_judged_layer {member}_layers[] = {{\n{body}\n}};"


def _map(judged: JudgedMap) -> str:
    square = judged.square
    return f"{{{judged.at}, {judged.channels}, {{{square.mantissa}, {square.exponent}}}}}"


def _layer(layer: JudgedLayer, mask: str) -> str:
    return f"{{{layer.made}, {layer.part}, {mask}, {layer.share}}}"


def _mask(name: str, mask: Sequence[bool]) -> str:
    eights = [mask[at : at + 8] for at in range(0, len(mask), 8)]
    numbers = [sum(bit << i for i, bit in enumerate(eight)) for eight in eights]
    return f"static const uint8_t {name}[{len(numbers)}] = {{\n{wrapped(map(hex, numbers))}\n}};"
