"""Writes operator records, and the constant arrays that they point to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tinyflash.paths import source_root
from tinyflash.program import ConstArray, Factor, Program, Record, Row, Value, canonical
from tinyflash.sources import structures
from tinyflash.write.c.text import INDENT, WIDTH, comment, wrapped

Fields = Mapping[str, Value]
_Structures = Mapping[str, Mapping[str, str]]


@dataclass
class _Arrays:
    """Constant arrays by content, each written once. model: begins their names."""

    model: str

    names: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def add(self, array: ConstArray, name: str) -> str:
        """Returns the identifier of an array; made of `name` if it is new."""
        key = canonical(array)
        if key not in self.names:
            self.names[key] = f"{self.model}_{name}"
            self.texts.append(_array(array, self.names[key]))
        return self.names[key]


def records(program: Program, name: str) -> tuple[list[str], list[str]]:
    """Returns the arrays of all records, and the records, each with a comment of the rows that use
    it. name: the model's."""
    return written(program.records, _users(program), name)


def written(
    found: Sequence[Record], users: Sequence[str], name: str
) -> tuple[list[str], list[str]]:
    """Returns the same of records, each behind its comment in `users`."""
    arrays = _Arrays(name)
    declared = structures(source_root())
    structs = [
        f"{user}static const {record.ctype} {name}_{record.name} = "
        f"{_record(record, arrays, declared)};"
        for record, user in zip(found, users, strict=True)
    ]
    return arrays.texts, structs


def _users(program: Program) -> list[str]:
    """Returns a comment for each record: its layers, and its rows in both tables."""
    tables = {"infer": _rows_of(program.infer), "train": _rows_of(program.train)}
    return [_user(program, tables, index) for index in range(len(program.records))]


def _rows_of(rows: Iterable[Row]) -> dict[int, list[int]]:
    users: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        users.setdefault(row.record, []).append(index)
    return users


def _user(program: Program, tables: Mapping[str, Mapping[int, list[int]]], record: int) -> str:
    layers: dict[str, None] = {}
    parts = []
    for name, rows in (("infer", program.infer), ("train", program.train)):
        found = tables[name].get(record, [])
        layers.update(dict.fromkeys(rows[index].layer for index in found))
        if found:
            parts.append(f"{name} {_listed([str(index) for index in found], 4)}")
    if not parts:
        return ""
    room = max(8, WIDTH - len(f"/* : {'; '.join(parts)} */"))
    return f"/* {comment(_listed(list(layers), 4), room)}: {'; '.join(parts)} */\n"


def _listed(words: Sequence[str], most: int) -> str:
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")


def _record(record: Record, arrays: _Arrays, declared: _Structures) -> str:
    fields = _in_order(record.fields, record.ctype, declared)
    return "{\n" + _fields(fields, record.name, arrays, 1) + "\n}"


def _in_order(fields: Fields, ctype: str, declared: _Structures) -> Fields:
    """Returns the fields in the order of their structure, which C++ asks for."""
    return {
        key: _in_order(value, inner, declared) if isinstance(value, Mapping) else value
        for key, inner in declared[ctype].items()
        if (value := fields.get(key)) is not None
    }


def _fields(fields: Fields, name: str, arrays: _Arrays, depth: int) -> str:
    """Returns fields: numbers on shared lines, structures on separate lines."""
    indent = INDENT * depth
    blocks: list[str] = []
    plain: list[str] = []
    for key, value in fields.items():
        text = _value(value, f"{key}_of_{name}", name, arrays, depth)
        if isinstance(value, int | Factor):
            plain.append(f".{key} = {text}")
            continue
        if plain:
            blocks.append(wrapped(plain, indent))
            plain = []
        blocks.append(f"{indent}.{key} = {text},")
    return "\n".join([*blocks, wrapped(plain, indent)] if plain else blocks)


def _value(value: Value, array: str, record: str, arrays: _Arrays, depth: int) -> str:
    """Returns a field's initialiser. Arrays become separate constants."""
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, Factor):
        return f"{{{value.mantissa}, {value.exponent}}}"
    if isinstance(value, tuple):
        return "{" + ", ".join(str(v) for v in value) + "}"
    if isinstance(value, ConstArray):
        return arrays.add(value, array)
    assert value is not None  # _in_order leaves it out, and so zero
    body = _fields(value, record, arrays, depth + 1)
    single = "{" + body.strip().rstrip(",") + "}"
    if "\n" not in body and len(single) + 30 + 4 * depth <= WIDTH:
        return single
    return "{\n" + body + "\n" + INDENT * depth + "}"


def _array(array: ConstArray, name: str) -> str:
    rows = array.values.tolist()
    words = [f"{{{r[0]}, {r[1]}}}" if isinstance(r, list) else str(r) for r in rows]
    return f"static const {array.ctype} {name}[{len(words)}] = {{\n{wrapped(words)}\n}};"
