"""Boards: their descriptions, firmware for them, what it takes there, and their emulators."""

from tinyflash.boards.description import Board, Qemu, boards, load_board, read_board

__all__ = ["Board", "Qemu", "boards", "load_board", "read_board"]
