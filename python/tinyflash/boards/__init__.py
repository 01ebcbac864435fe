"""Boards: descriptions, firmware builds, memory footprints, emulators."""

from tinyflash.boards.description import (
    NOT_RUN,
    Board,
    Qemu,
    boards,
    counted_core,
    kernels_for,
    load_board,
    read_board,
    with_kernels,
    with_place,
)

__all__ = [
    "NOT_RUN",
    "Board",
    "Qemu",
    "boards",
    "counted_core",
    "kernels_for",
    "load_board",
    "read_board",
    "with_kernels",
    "with_place",
]
