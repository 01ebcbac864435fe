"""What the network sees of a sensor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pytest

from tinyflash.cli.lesson import Eyes
from tinyflash.errors import TinyflashWarning
from tinyflash.graph import Port, Quant
from tinyflash.runtime.device.sensor import Packet, RemoteSensor, SensorInfo

PORT = Port("x", "int8", (1, 4, 2), Quant((1 / 64,), 0))  # -2 to 1.98


@dataclass
class Sensor:
    """It gives four frames at a time. scale: of its numbers, 0 to 63."""

    scale: float
    info: SensorInfo = field(init=False)
    given: int = 0

    def __post_init__(self) -> None:
        whole = (False, 1, 0, 0, 0, 1000, "raw")
        self.info = SensorInfo("s", (2,), 50.0, self.scale, (), (), 0, 100, *whole)

    def start(self) -> SensorInfo:
        return self.info

    def stream(self, wanted: int, _safe: int) -> Packet:
        self.given += 4
        frames = np.full((self.given - wanted, 2), 63, np.int16)
        return Packet(wanted, frames, self.given, 0, self.given / 50)


def seen(scale: float, looks: int = 3) -> list[np.ndarray]:
    eyes = Eyes(cast(RemoteSensor, Sensor(scale)), PORT, None)
    return [found for _ in range(looks) if (found := eyes.look()) is not None]


def test_a_sensor_beyond_the_range_is_told_of_once() -> None:
    with pytest.warns(
        TinyflashWarning, match="a window of the sensor: 100 % of .* outside"
    ) as told:
        found = seen(1.0)
    assert len(told) == 1
    assert (np.stack(found) == 127).all()


@pytest.mark.filterwarnings("error")
def test_a_sensor_that_rests_is_no_reason() -> None:
    assert (np.stack(seen(1 / 64)) == 63).all()
