"""Cases of the kernel set for PCs alone: maps and sums too large for most boards, at the limits of
what its kernels do themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.lib.case import Case
from tests.lib.cases import conv2d, depthwise, fully_connected, residual
from tests.lib.subject import Data, Shape, subject
from tests.support.graphs import Layer, same

from tinyflash.graph import Clip

TERMS = 4096  # TINY_HOST_TERMS
DATA = (Data(), Data("extreme"))


def pc_cases() -> Iterator[Case]:
    """All of them; the reference kernels compute those beyond a limit."""
    for family in (_terms, _rows, _chunks, _taps, _sums):
        yield from family()


def _terms() -> Iterator[Case]:
    """Sums of as many terms as fit, and of more."""
    for terms in (TERMS - 1, TERMS, TERMS + 1):
        for data in DATA:
            shape = (1, 5, terms)
            forward = subject(f"{terms} terms", fully_connected(Layer(), 2), shape, terms // 2)
            yield from forward.cases(data, "fully_connected")
            build = fully_connected(Layer(), terms)
            backward = subject(f"{terms} outputs", build, (1, 3, 5), 3)
            yield from backward.cases(data, "fully_connected_backward_input")
    for depth, kernel in ((455, 3), (456, 3), (164, 5)):
        build = conv2d(same((3, 2), kernel), Layer(clip=Clip(-90, 120)), 3)
        for kept in (0, 7, depth):
            one = subject(f"{kernel}x{kernel} of {depth}", build, (3, 2, depth), kept)
            yield from one.cases(Data("extreme"), "conv2d")


def _rows() -> Iterator[Case]:
    """Updates over as many positions as fit, and over more."""
    for rows in (TERMS - 1, TERMS):
        for data in (*DATA, Data("largest")):
            one = subject(f"{rows} rows", fully_connected(Layer(), 2), (1, rows, 3), 2)
            yield from one.cases(data, "fully_connected_update", "bias_update")


def _chunks() -> Iterator[Case]:
    """More positions than are copied at a time, around the widths of a tile."""
    for out in (1, 7, 8, 9, 15, 16, 17, 24, 25, 33):
        shape: Shape = (9, 15, 5)
        for data in DATA:
            yield from subject(f"to {out}", fully_connected(Layer(), out), shape, 3).cases(data)
            build = conv2d(same(shape, 3), Layer(), out)
            yield from subject(f"3x3 to {out}", build, shape, 2).cases(data, "conv2d")


def _taps() -> Iterator[Case]:
    """Depthwise, around the widths of registers, and with more taps than are listed."""
    for kernel, channels in ((3, 41), (5, 24), (8, 17), (9, 16)):
        shape = (10, 9, channels)
        build = depthwise(same(shape, kernel), Layer(zero=-128))
        for kept in (0, channels // 2, channels - 1, channels):
            for data in DATA:
                yield from subject(f"{kernel}x{kernel}", build, shape, kept).cases(data)


def _sums() -> Iterator[Case]:
    """Of gradients whose exponents are far apart."""
    for spread in (23, 24, 54):
        for data in (Data("extreme", -40, spread=spread), Data(e_dy=-40, e_dx=15, spread=spread)):
            for shape in ((2, 3, 5), (3, 4, 33)):
                one = replace(subject(f"{spread} apart", residual, shape), layer="")
                yield from one.cases(data, "gradient_add", "mask")
