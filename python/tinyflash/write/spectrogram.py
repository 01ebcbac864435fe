"""The tables of a spectrogram as a C header, for firmware and for programs of a user's own."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from tinyflash.spectrogram import Spectrogram, tables

HEADER = "spectrogram_tables.h"
_TEXT = """\
/* {text}: its tables (SPEC 14). Include it in one C file. */
#ifndef TINYFLASH_SPECTROGRAM_TABLES_H
#define TINYFLASH_SPECTROGRAM_TABLES_H

#include "tinyflash/spectrogram.h"

#define SPECTROGRAM_RATE {rate}u
#define SPECTROGRAM_WINDOW {window}u
#define SPECTROGRAM_HOP {hop}u
#define SPECTROGRAM_BANDS {bands}u
#define SPECTROGRAM_WORK {work}u /* int32 numbers */
#define SPECTROGRAM_TEXT "{text}"

static const int16_t spectrogram_taper[] = {{
{taper}
}};
static const int32_t spectrogram_cosines[] = {{
{cosines}
}};
static const uint16_t spectrogram_edges[] = {{
{edges}
}};
static const uint16_t spectrogram_shares[] = {{
{shares}
}};
static const tiny_spectrogram spectrogram = {{
    .window = {window},
    .hop = {hop},
    .bands = {bands},
    .transform_log2 = {transform_log2},
    .taper = spectrogram_taper,
    .cosines = spectrogram_cosines,
    .edges = spectrogram_edges,
    .shares = spectrogram_shares,
}};

#endif
"""


def spectrogram_header(s: Spectrogram) -> str:
    """Returns the header that firmware/commands/features.c includes."""
    numbers = {name: _lines(table.tolist()) for name, table in vars(tables(s)).items()}
    settings = {k: getattr(s, k) for k in ("rate", "window", "hop", "bands", "transform_log2")}
    return _TEXT.format(**settings, **numbers, text=s.text, work=s.work // 4)


def _lines(numbers: Iterable[int]) -> str:
    return textwrap.indent(textwrap.fill(", ".join(map(str, numbers)), 96), "    ")
