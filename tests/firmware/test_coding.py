"""Coded samples: the host encodes, the firmware's own C decodes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from tests.support.pipes import PipePort

from tinyflash.errors import LinkError
from tinyflash.runtime.device.coding import RAW, chunks
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.protocol import SAMPLE_HEAD, Purpose, Type
from tinyflash.runtime.device.session import DeviceSession

Sample = npt.NDArray[np.int8]
SHAPE = (25, 40, 3)
ROOM = 400


def grey_picture() -> Sample:
    """A smooth picture whose three channels are equal."""
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    grey = 90 * np.sin(x / 9) * np.cos(y / 7)
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2).astype(np.int8)


def signal(step: int) -> Sample:
    """A random walk; large steps wrap around."""
    steps = np.random.default_rng(step).integers(-step, step + 1, SHAPE)
    return np.cumsum(steps).astype(np.int8).reshape(SHAPE)


def half_noise() -> Sample:
    """Coded pieces and raw ones in the same sample."""
    flat = signal(1).reshape(-1)
    flat[1000:2000] = np.random.default_rng(0).integers(-128, 128, 1000)
    return flat


SAMPLES = {
    "picture": grey_picture(),
    "walk": signal(2),
    "noise": signal(127),
    "half noise": half_noise(),
    "zeros": np.zeros(SHAPE, np.int8),
    "extremes": np.tile(np.array([-128, 127], np.int8), 1500),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_board_gets_the_sample_that_was_sent(name: str, start: Callable[[], PipePort]) -> None:
    with DeviceSession(Link(start())) as device:
        device.weights = bytes(device.info.weights_bytes)
        assert np.array_equal(device.infer(SAMPLES[name]), SAMPLES[name].reshape(-1))


def size_on_the_wire(sample: Sample) -> int:
    flat = np.ascontiguousarray(sample).reshape(-1).view(np.uint8)
    pieces = list(chunks(flat, sample.shape, ROOM))
    assert [p.offset for p in pieces] == list(np.cumsum([0] + [p.count for p in pieces])[:-1])
    assert sum(p.count for p in pieces) == len(flat)
    assert all(len(p.data) <= ROOM for p in pieces)
    return sum(len(p.data) for p in pieces)


def test_pictures_shrink_and_noise_does_not_grow() -> None:
    assert size_on_the_wire(SAMPLES["picture"]) < 3000 / 7
    assert size_on_the_wire(SAMPLES["walk"]) < 3000 / 2
    assert size_on_the_wire(SAMPLES["zeros"]) < 3000 / 7
    assert size_on_the_wire(SAMPLES["noise"]) == 3000


def test_pieces_may_be_raw_or_coded() -> None:
    flat = half_noise().view(np.uint8)
    assert {piece.group for piece in chunks(flat, (3000,), ROOM)} == {RAW, 1}


def test_damaged_code_is_refused_and_writes_nothing_outside(start: Callable[[], PipePort]) -> None:
    """Whatever the bits, the sanitizers stay silent and the board goes on."""
    random = np.random.default_rng(5)
    port = start()
    link = Link(port)
    link.open_session(5)
    refused = 0
    for seed in range(300):
        count, stride = int(random.integers(0, 3001)), int(random.integers(0, 65536))
        head = SAMPLE_HEAD.pack(Purpose.INFER, 1 + seed % 5, stride, 0, count)
        code = random.integers(0, 256, int(random.integers(0, 490)), np.uint8)
        try:
            link.command(Type.SAMPLE, head + (code | int(random.integers(0, 256))).tobytes())
        except LinkError as error:
            refused += "could not decode" in str(error)
    assert refused > 250
    link.command(Type.COUNTERS)
    port.close()


def test_code_must_end_where_the_data_ends(start: Callable[[], PipePort]) -> None:
    piece = next(chunks(np.arange(64, dtype=np.uint8), (64,), ROOM))
    head = SAMPLE_HEAD.pack(Purpose.INFER, piece.group, piece.stride, 0, piece.count)
    link = Link(start())
    link.open_session(5)
    link.command(Type.SAMPLE, head + piece.data)
    for data in (piece.data[:-1], piece.data + b"\0"):
        with pytest.raises(LinkError, match="could not decode"):
            link.command(Type.SAMPLE, head + data)
