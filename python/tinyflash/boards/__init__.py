"""Boards: descriptions, firmware builds, memory footprints, emulators."""

from tinyflash.boards.description import (
    Board,
    Qemu,
    boards,
    kernels_for,
    load_board,
    read_board,
)

__all__ = ["Board", "Qemu", "boards", "kernels_for", "load_board", "read_board"]
