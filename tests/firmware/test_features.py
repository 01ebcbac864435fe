"""Features of the sensor, computed by the firmware: those of the host, bit for bit. On this
computer, under sanitizers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.support.firmware import MODEL, build_for_host
from tests.support.pipes import PipePort

from tinyflash.data.collecting.recorder import frames_of
from tinyflash.runtime.device.link import Link, RefusedError
from tinyflash.runtime.device.sensor import RemoteSensor
from tinyflash.runtime.host.spectrogram import NativeSpectrogram
from tinyflash.spectrogram import Spectrogram, parse
from tinyflash.write.spectrogram import HEADER, spectrogram_header

SENSOR = MODEL.parent / "host_sensor.c"  # 200 numbers per second, 7 apart
S = parse("spectrogram:rate=200,window=50,hop=20,bands=4,low=1,high=100", None)
COUNT = 700  # numbers, in 3.5 s
NO_SENSOR = 23
Built = Callable[..., Link]


@pytest.fixture(name="built")
def _built(tmp_path: Path, ports: list[PipePort]) -> Built:
    def build(settings: Spectrogram = S) -> Link:
        (tmp_path / HEADER).write_text(spectrogram_header(settings))
        flags = ("-DSPECTROGRAM", f"-I{tmp_path}", "-DCOLLECT_BYTES=160u")
        flags += ("-DSENSOR_CHANNELS=1", f"-DSENSOR_LENGTH={COUNT}")
        program = build_for_host(MODEL, tmp_path / "firmware", *flags, more=(SENSOR,))
        ports.append(PipePort(program))
        link = Link(ports[-1])
        link.open_session(10.0)
        return link

    return build


def test_they_are_those_of_the_host(built: Built) -> None:
    sensor = RemoteSensor(built())
    info = sensor.start()
    assert (info.front_end, info.rate, info.shape) == (S.text, 10.0, (4,))
    assert (info.scale, info.length, info.room) == (1 / 64, S.count(COUNT), 20)
    assert frames_of(info).channels == ("b1", "b2", "b3", "b4")
    frames, wanted = {}, 0
    while wanted < info.length:
        time.sleep(0.05)  # the board's clock goes on in silence
        packet = sensor.stream(wanted, wanted)
        frames |= {packet.first + i: frame for i, frame in enumerate(packet.frames)}
        wanted = packet.first + len(packet.frames)
    samples = (np.arange(COUNT) * 7).astype(np.int16)
    true = NativeSpectrogram(S).frames(samples)
    assert len(frames) + packet.lost == info.length and len(frames) >= 20
    assert all((true[n] == frame).all() for n, frame in frames.items())


@pytest.mark.parametrize(
    "settings",
    [
        "rate=100,window=50,bands=2,low=1",
        f"rate=200,window={COUNT + 1},bands=4,low=1",  # no window: 0 frames would mean no end
    ],
)
def test_another_sensor_than_it_was_built_for(built: Built, settings: str) -> None:
    other = parse(f"spectrogram:{settings}", None)
    with pytest.raises(RefusedError) as error:
        RemoteSensor(built(other))
    assert error.value.status == NO_SENSOR
