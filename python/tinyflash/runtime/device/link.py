"""Commands and replies over a serial line: timeouts, repetition, error messages."""

from __future__ import annotations

import errno
import os
import re
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import serial

from tinyflash.errors import LinkError, shortened
from tinyflash.runtime.device import protocol
from tinyflash.runtime.device.frames import Decoder, Frame, encode
from tinyflash.runtime.device.pairing import NONCE_BYTES, Pairing
from tinyflash.runtime.device.protocol import Type
from tinyflash.runtime.device.rows import Serve, Wants

BAUD_RATE = 115200
_POLL_S = 0.05  # the longest wait in one read
_PATIENCE_S = 1.0
_DYING_S = 0.5
_STUCK_S = 10.0  # for the line to take a frame
_SOCKET = re.compile(r"socket://(?:[^/:\[\]]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})/?")
_PORTS = range(1 << 16)
_BUSY = "; another program uses it: end that one"
_ADVICE = {
    errno.EAGAIN: _BUSY,
    errno.EBUSY: _BUSY,
    errno.ENOENT: "; tinyflash ports lists those that are there",
    errno.EACCES: "; join the group of serial ports (sudo usermod -aG dialout $USER) and log in "
    "again, or allow every user by a file /etc/udev/rules.d/60-serial.rules with the line "
    'SUBSYSTEM=="tty", MODE="0666"',
}


class StatusError(LinkError):
    """The device has refused a command, and says why: `status` (PROTOCOL.md)."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Port(Protocol):
    """The part of pyserial that a Link needs."""

    def read(self, size: int) -> bytes: ...

    def write(self, data: bytes) -> object: ...

    def close(self) -> None: ...

    @property
    def in_waiting(self) -> int: ...


def open_port(url: str, baud_rate: int = BAUD_RATE) -> Port:
    """Opens a serial port by name ("/dev/ttyACM0") or URL ("socket://host:port")."""
    socket = _SOCKET.fullmatch(url)
    if url.startswith("socket://") and not (socket and int(socket[1]) in _PORTS):
        raise LinkError(f"{_shown(url)} cannot be opened: write it as socket://host:port")
    try:
        port: Port = serial.serial_for_url(
            url,
            baudrate=baud_rate,
            timeout=_POLL_S,
            write_timeout=_STUCK_S,
            exclusive=None if socket or os.name == "nt" else True,  # Windows has no other way
        )
    except Exception as error:  # pyserial lets many kinds through, such as termios.error
        raise LinkError(f"{_shown(url)} cannot be opened: {_reason(error)}") from error
    return port


def _shown(url: str) -> str:
    return shortened("".join(c for c in url if c.isprintable()))


def _reason(error: Exception) -> str:
    """Returns the operating system's words, if it said no, and what to do."""
    for cause in (error, error.__context__):
        if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
            return os.strerror(cause.errno) + _ADVICE.get(cause.errno, "")
    text = str(error)
    return "it is not a serial port" if text.startswith("Could not configure port") else text


class Link:
    """Sends one command at a time. The device executes each exactly once, even if it is sent
    repeatedly.

    why_dead: returns why the other end is gone; None if it is not. patience: seconds without a
    reply until a command is sent again; doubles each time.
    """

    def __init__(
        self,
        port: Port,
        why_dead: Callable[[], str | None] = lambda: None,
        patience: float = _PATIENCE_S,
    ) -> None:
        self._port = port
        self._why_dead = why_dead
        self._patience = patience
        self._decoder = Decoder()
        self._arrived: deque[Frame] = deque()
        self._sequence = 0
        self._pairing: Pairing | None = None
        self.repeated = 0  # commands sent again

    def close(self) -> None:
        self._port.close()

    def open_session(self, timeout: float) -> bytes:
        """Sends HELLO until the device answers, since it may still be starting. Returns the reply's
        body."""
        self._sequence = 0
        return self._exchange(Frame(Type.HELLO, 0), timeout, starting=True)

    def pair(self, key: bytes) -> None:
        """Asks for a nonce. All frames from now on carry a tag, made of it and the key."""
        self._pairing = None
        self._pairing = Pairing(key, self.command(Type.PAIR, size=NONCE_BYTES))

    def command(
        self,
        kind: Type,
        body: bytes = b"",
        timeout: float = 10.0,
        serve: Serve | None = None,
        size: int | None = None,
    ) -> bytes:
        """Sends a command. Returns the body of its reply without the status. Raises LinkError if
        the status is bad, or if that body does not have `size` bytes.

        serve: answers the device's WANTs while it executes the command. Each WANT restarts the
        timeout. size: None accepts any.
        """
        self._sequence = self._sequence % 255 + 1  # 0 is HELLO's
        if self._pairing is not None:
            body = self._pairing.command(kind, self._sequence, body)
        reply = self._exchange(Frame(kind, self._sequence, body), timeout, serve=serve)
        if size is not None and len(reply) != size:
            raise LinkError(
                f"the device answers {kind.name} with {len(reply)} bytes, not {size}; rebuild and "
                "flash its firmware"
            )
        return reply

    def _exchange(
        self, frame: Frame, timeout: float, starting: bool = False, serve: Serve | None = None
    ) -> bytes:
        end = time.monotonic() + timeout
        wait = self._patience
        wants = Wants(serve)
        self._write(encode(frame))
        while time.monotonic() < end:
            answer = self._await(frame, min(end, time.monotonic() + wait), starting)
            if answer is None:
                self.repeated += 1
                wait *= 2
                self._write(encode(frame))
            elif answer.type == Type.WANT:
                self._write(encode(self._rows(answer.sequence, wants.answer(answer.body))))
                end, wait = time.monotonic() + timeout, self._patience
            else:
                return _checked(answer)
        if not starting:
            raise LinkError(f"the board has not answered for {timeout:g} s; restart it")
        raise LinkError(
            f"no answer within {timeout:g} s; is the tinyflash firmware running, and is this "
            "its serial port?"
        )

    def _rows(self, sequence: int, body: bytes) -> Frame:
        if self._pairing is not None:
            body = self._pairing.rows(Type.ROWS, sequence, body)
        return Frame(Type.ROWS, sequence, body)

    def _await(self, sent: Frame, end: float, starting: bool) -> Frame | None:
        """Returns the reply to `sent`, or a WANT for it; None if it is time to send it again."""
        expected = (sent.type | protocol.REPLY, protocol.REPLY, Type.WANT)
        while time.monotonic() < end:
            if not self._arrived:  # so that a flood does not pile up
                self._arrived.extend(self._receive())
            while self._arrived:
                frame = self._arrived.popleft()
                if frame.type in expected and frame.sequence == sent.sequence:
                    return frame
                _check_alive(frame)
                if frame.type == Type.READY and not starting:
                    raise LinkError("the device restarted and lost what it had learned")
                if frame.type in (Type.READY, Type.NAK):
                    return None
        return None

    def _receive(self) -> list[Frame]:
        reason = self._why_dead()  # ask first, then read: a dying device's last frame is not lost
        try:
            data = self._port.read(max(1, self._port.in_waiting))
        except (serial.SerialException, OSError) as error:
            raise self._lost(error) from error
        if not data and reason is not None:
            raise LinkError(reason)
        return list(self._decoder.feed(data))

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (serial.SerialException, OSError) as error:
            for frame in self._last_words():
                _check_alive(frame)
            raise self._lost(error) from error

    def _last_words(self) -> list[Frame]:
        """Reads what the other end sent before it was gone: possibly why it stopped."""
        frames: list[Frame] = []
        end = time.monotonic() + _DYING_S
        with suppress(serial.SerialException, OSError):
            while time.monotonic() < end and (data := self._port.read(self._port.in_waiting or 1)):
                frames += self._decoder.feed(data)
        return frames

    def _lost(self, error: Exception) -> LinkError:
        """Returns why the line is gone. Waits a moment until the other end is known to be dead."""
        end = time.monotonic() + _DYING_S
        while (reason := self._why_dead()) is None and time.monotonic() < end:
            time.sleep(_POLL_S)
        return LinkError(reason or f"the serial line is gone: {error}")


def _check_alive(frame: Frame) -> None:
    if frame.type == Type.FAULT:
        raise LinkError(f"the device stopped: {protocol.fault_text(frame.body)}")
    if frame.type == Type.REFUSAL:
        raise LinkError(f"the device refuses to run, {protocol.refusal_text(frame.body)}")


def _checked(reply: Frame) -> bytes:
    """Returns the body after a good status."""
    status, body = reply.body[:1], reply.body[1:]
    if status != b"\0":
        text = (
            protocol.STATUS_TEXT.get(status[0], f"says {status[0]}") if status else "says nothing"
        )
        raise StatusError(f"the device {text}", status[0] if status else 0)
    return body
