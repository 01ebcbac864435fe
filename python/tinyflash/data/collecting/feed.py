"""Windows of a sensor as its frames come, for a host that keeps none of them."""

from __future__ import annotations

from tinyflash.arrays import Numbers
from tinyflash.data.collecting.recorder import Progress
from tinyflash.data.collecting.stream import WindowStream
from tinyflash.runtime.device.sensor import RemoteSensor


class Feed:
    """Starts a sensor, and cuts windows of `window` frames, `hop` frames from one to the next.
    progress: how far it is; its gaps are frames that the board had to drop."""

    def __init__(self, sensor: RemoteSensor, window: int, hop: int) -> None:
        self._sensor, self._windows = sensor, WindowStream(window, hop)
        self.progress = Progress(sensor.start(), "", recording=sensor.info.name)

    def poll(self) -> list[Numbers]:
        """Returns the windows [window, *frame] that are complete now. Raises LinkError."""
        now = self.progress
        wanted = now.first + len(now.newest)
        packet = self._sensor.stream(wanted, wanted)
        if packet.first > wanted:
            now.gaps.append((wanted, packet.first))
            now.lost += packet.first - wanted
        now.first, now.newest, now.next = packet.first, packet.frames, packet.next
        now.kept += len(packet.frames)
        now.seconds, now.lost_by_board = packet.seconds, packet.lost
        return self._windows.push(packet.first, packet.frames) if len(packet.frames) else []

    @property
    def is_behind(self) -> bool:
        """Whether there are more frames than the last poll gave."""
        now = self.progress
        return now.first + len(now.newest) < now.next

    @property
    def is_over(self) -> bool:
        """Whether the sensor has given its last frame."""
        now = self.progress
        return bool(now.info.length) and now.first + len(now.newest) >= now.info.length

    def stop(self) -> None:
        self._sensor.stop()
