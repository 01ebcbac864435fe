"""Firmware of a model that only infers, its samples by rows: on this computer under sanitizers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.firmware import build_for_host
from tests.support.learner import learner_graph
from tests.support.pipes import PipePort, exchange

from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import LinkError
from tinyflash.runtime.device import protocol
from tinyflash.runtime.device.frames import Frame, encode
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.protocol import Purpose, Type
from tinyflash.runtime.device.session import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.write.model import write_model

X = np.random.default_rng(4).integers(-128, 128, (6, 6, 2), dtype=np.int8)
RATE = protocol.TRAIN.pack(1, 0x8000, -5)


@pytest.fixture(scope="module")
def inferring() -> Compiled:
    return compile_model(learner_graph(), row_source=True)


@pytest.fixture(scope="module")
def firmware(inferring: Compiled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inferring")
    write_model(inferring, folder)
    return build_for_host(folder, folder / "firmware")


@pytest.fixture
def device(firmware: Path, ports: list[PipePort]) -> DeviceSession:
    ports.append(PipePort(firmware))
    return DeviceSession(Link(ports[-1]))


def test_it_infers(device: DeviceSession, inferring: Compiled) -> None:
    assert not device.info.trains
    assert np.array_equal(device.infer(X), HostSession(inferring.program).infer(X))


def test_it_does_not_train(device: DeviceSession) -> None:
    with pytest.raises(LinkError, match="compiled only for inference"):
        device._link.command(Type.TRAIN, RATE)
    head = protocol.SAMPLE_HEAD.pack(Purpose.TRAIN, 0, 0, 0, 1)
    with pytest.raises(LinkError, match="compiled only for inference"):
        device._link.command(Type.SAMPLE, head + b"x")


def test_it_does_not_infer_half_written(device: DeviceSession) -> None:
    body = protocol.RESTORE.pack(device.info.hash, 1 << protocol.Space.STATE)
    device._link.command(Type.RESTORE, body)
    with pytest.raises(LinkError, match="partly written"):
        device.infer(X)


def test_a_row_that_is_wrong_ends_the_inference(
    device: DeviceSession, ports: list[PipePort]
) -> None:
    (port,) = ports
    (want,) = exchange(port, encode(Frame(Type.INFER, 200)), 1)
    assert want.type == Type.WANT
    (reply,) = exchange(port, encode(Frame(Type.ROWS, 200, b"short")), 1)
    assert (reply.type, reply.body) == (Type.INFER | protocol.REPLY, b"\2")
    device.infer(X)
