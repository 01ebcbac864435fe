"""Firmware that only collects: an image without a network, for an emulated board that records."""

from __future__ import annotations

from pathlib import Path

from tinyflash import files
from tinyflash.boards.description import Board
from tinyflash.boards.firmware import build_firmware
from tinyflash.spectrogram import Spectrogram

RING_SHARE = 4  # of its RAM, a board gives 1 / RING_SHARE to the ring
_LARGEST_RING = 32768  # bytes

# The smallest model that a host takes for one: it reads a byte, and gives it back.
_HEADER = """\
/* A model that does nothing, for firmware that only collects. */
#ifndef TINYFLASH_NO_NETWORK_H
#define TINYFLASH_NO_NETWORK_H

#include "tinyflash/model.h"

#define MODEL_NAME "no network"
#define MODEL_HASH 0x00000000u
#define MODEL_ARENA_BYTES 8u
#define MODEL_WEIGHTS_BYTES 0u
#define MODEL_STATE_BYTES 32u
#define MODEL_INPUT_BYTES 1u
#define MODEL_OUTPUT_BYTES 1u
#define MODEL_ROW_BYTES 0u
#define MODEL_TARGET_BYTES 0u

extern const tiny_model model;

#endif
"""
_TABLE = """\
#include "model.h"

static const tiny_state state;

const tiny_model model = {
    .state_image = (const uint8_t *)&state,
    .state_bytes = MODEL_STATE_BYTES,
    .arena_bytes = MODEL_ARENA_BYTES,
    .input = TINY_BUFFER(TINY_ARENA, 0),
    .output = TINY_BUFFER(TINY_ARENA, 0),
    .input_bytes = MODEL_INPUT_BYTES,
    .output_bytes = MODEL_OUTPUT_BYTES,
    .hash = MODEL_HASH,
};
"""


def ring_bytes(board: Board) -> int:
    """Returns the bytes of a ring that leaves most of a board's RAM."""
    return min(board.sram_bytes // RING_SHARE, _LARGEST_RING)


def build_sensor_only(board: Board, folder: Path, features: Spectrogram | None = None) -> Path:
    """Builds folder/firmware.elf, which collects from the board's sensor, and learns nothing.
    features: what it makes of the sensor's frames."""
    files.write_bytes(folder / "model.h", _HEADER.encode())
    files.write_bytes(folder / "model.c", _TABLE.encode())
    return build_firmware(folder, board, folder, collect=ring_bytes(board), features=features)
