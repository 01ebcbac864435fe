"""Targets over the link: TRAIN needs the sample and the target, in either order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.firmware import build_for_host
from tests.support.pipes import PipePort

from tinyflash.errors import DataError, LinkError
from tinyflash.runtime.device import protocol
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.protocol import Purpose, Type
from tinyflash.runtime.device.session import DeviceSession
from tinyflash.runtime.host.schedule import rate_at
from tinyflash.runtime.schedule import Schedule
from tinyflash.runtime.state import pack, unpack

RANDOM = np.random.default_rng(3)
SAMPLE = RANDOM.integers(-128, 128, 1000).astype(np.int8)
TARGET = RANDOM.integers(-128, 128, 800).astype(np.int8)
TRAIN = protocol.TRAIN.pack(0xFFFFFFFF, 0x8000, 0)  # whatever the label


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(__file__).parent / "target_model"
    return build_for_host(folder, tmp_path_factory.mktemp("targets") / "firmware")


@pytest.fixture
def device(firmware: Path) -> Iterator[DeviceSession]:
    port = PipePort(firmware)
    with DeviceSession(Link(port), 0x00C0FFEE) as session:
        yield session
    port.finish()


def refused(device: DeviceSession, why: str, kind: Type, body: bytes = b"") -> None:
    with pytest.raises(LinkError, match=why):
        device._link.command(kind, body)


def learned() -> bytes:
    return (SAMPLE[:800].view(np.uint8) + TARGET.view(np.uint8)).tobytes()


def test_a_step_towards_a_target(device: DeviceSession) -> None:
    assert (device.info.target_bytes, device.info.classes) == (800, 0)
    outcome = device.train_on_target(SAMPLE, TARGET, 0.25)
    assert outcome.error == int(TARGET.view(np.uint8).sum(dtype=np.int64))
    assert device.weights == learned()
    assert np.array_equal(device.infer(SAMPLE), np.frombuffer(learned(), np.int8))


def test_its_state_has_no_label(device: DeviceSession) -> None:
    """So one that has is refused, and what it says after a step can be restored."""
    device._pieces.send_sample(SAMPLE, Purpose.TRAIN)
    device._pieces.send_sample(TARGET, Purpose.TARGET)
    device._link.command(Type.TRAIN, TRAIN)
    after = device.state
    device.state = after
    assert device.state == after
    header, scales = unpack(after)
    with pytest.raises(LinkError, match="refused"):
        device.state = pack(header._replace(label=1), scales)


def test_the_order_is_free(device: DeviceSession) -> None:
    device._pieces.send_sample(SAMPLE, Purpose.TRAIN)
    device._pieces.send_sample(TARGET, Purpose.TARGET)
    device._link.command(Type.TRAIN, TRAIN)
    assert device.weights == learned()


def test_both_must_be_there_and_are_used_up(device: DeviceSession) -> None:
    missing = "no complete sample"
    device._pieces.send_sample(SAMPLE, Purpose.TRAIN)
    refused(device, missing, Type.TRAIN, TRAIN)
    half = protocol.SAMPLE_HEAD.pack(Purpose.TARGET, 0, 0, 0, 400)
    device._link.command(Type.SAMPLE, half + bytes(400))
    refused(device, missing, Type.TRAIN, TRAIN)
    device._pieces.send_sample(TARGET, Purpose.TARGET)
    device._link.command(Type.TRAIN, TRAIN)
    device._pieces.send_sample(SAMPLE, Purpose.TRAIN)
    refused(device, missing, Type.TRAIN, TRAIN)
    device._pieces.send_sample(TARGET, Purpose.TARGET)
    device._link.command(Type.TRAIN, TRAIN)
    device._pieces.send_sample(TARGET, Purpose.TARGET)
    refused(device, missing, Type.TRAIN, TRAIN)
    assert device.counters().step == 2


def test_a_schedule_runs_for_targets(device: DeviceSession) -> None:
    with pytest.raises(LinkError, match="has no learning rate"):
        device.train_on_target(SAMPLE, TARGET)
    device.set_schedule(Schedule("cosine", 0.5, 4, 1))
    for step in range(4):
        device.train_on_target(SAMPLE, TARGET)
        header, _ = unpack(device.state)
        rate = math.ldexp(header.rate_mantissa, header.rate_exponent)
        assert rate == rate_at(Schedule("cosine", 0.5, 4, 1), step)


def test_a_sample_for_inference_ends_a_target(device: DeviceSession) -> None:
    """The two tables share their memory, so that nothing is known of the target any more."""
    device._pieces.send_sample(TARGET, Purpose.TARGET)
    device.infer(SAMPLE)
    device._pieces.send_sample(SAMPLE, Purpose.TRAIN)
    refused(device, "no complete sample", Type.TRAIN, TRAIN)


def test_a_target_stays_within(device: DeviceSession) -> None:
    for offset, count in ((0, 490), (490, 311)):
        head = protocol.SAMPLE_HEAD.pack(Purpose.TARGET, 0, 0, offset, count)
        if offset == 0:
            device._link.command(Type.SAMPLE, head + bytes(count))
        else:
            refused(device, "out of range", Type.SAMPLE, head + bytes(count))


def test_the_host_refuses(device: DeviceSession) -> None:
    with pytest.raises(DataError, match="a target of 799"):
        device.train_on_target(SAMPLE, TARGET[1:], 0.1)
    with pytest.raises(DataError, match="a sample of 999"):
        device.train_on_target(SAMPLE[1:], TARGET, 0.1)
    with pytest.raises(DataError, match="learns from targets of 800 elements"):
        device.train_step(SAMPLE, 0, 0.1)
    with pytest.raises(DataError, match="train it without a guard"):
        device.start_guard(SAMPLE[None], np.zeros(1, np.int64), 1, 0)
    assert device.counters().step == 0
