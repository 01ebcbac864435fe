"""Commands and replies over a serial line: timeouts, repetition, error messages."""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from tinyflash.errors import LinkError
from tinyflash.runtime.device import protocol
from tinyflash.runtime.device.frames import Decoder, Frame, encode
from tinyflash.runtime.device.pairing import NONCE_BYTES, Pairing
from tinyflash.runtime.device.port import Port, why_lost
from tinyflash.runtime.device.protocol import Type
from tinyflash.runtime.device.rate import BASE, HIGHER, LineRate, trials
from tinyflash.runtime.device.rows import Serve, Wants

_POLL_S = 0.05  # between two looks at whether the other end is dead
_PATIENCE_S = 1.0
_TIMEOUT_S = 10.0
_SETTLE = 1 / 50  # of the patience: for the device to change its rate after its reply
_DYING_S = 0.5
_AGAIN = (Type.READY, Type.NAK)  # upon which a command is sent again
# What a line carries worst: edges at each bit, single ones, long levels, and all of them.
TESTS = (b"\x55" * 64, b"\x01\x80" * 32, b"\xff\x00" * 32, bytes(range(0, 256, 4)))
_RESTARTED = "the device restarted and lost what it had learned"


class RefusedError(LinkError):
    """The device answered with a bad status (PROTOCOL.md)."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Link:
    """Sends one command at a time. The device executes each exactly once, even if it is sent
    repeatedly.

    why_dead: returns why the other end is gone; None if it is not. patience: seconds without a
    reply until a command is sent again; doubles at each silence. line: the rate of the port; None:
    it has none.
    """

    def __init__(
        self,
        port: Port,
        why_dead: Callable[[], str | None] = lambda: None,
        patience: float = _PATIENCE_S,
        line: LineRate | None = None,
    ) -> None:
        self._port = port
        self._why_dead = why_dead
        self._patience = patience
        self._line = LineRate() if line is None else line
        self._decoder = Decoder()
        self._arrived: deque[Frame] = deque()
        self._sequence = 0
        self._pairing: Pairing | None = None
        self._waits = False  # for a reply
        self.repeated = 0  # commands sent again

    @property
    def rate(self) -> int | None:
        """The rate of the line, in baud; None: it has none."""
        return None if self._line.is_fixed else self._line.agreed

    def close(self) -> None:
        """Closes the port. Leaves the device at the rate that it starts with, if it can."""
        if self._line.agreed != BASE and not self._waits:
            with suppress(LinkError):
                self._order_rate(BASE, timeout=self._patience)
        self._port.close()

    def open_session(self, timeout: float) -> bytes:
        """Sends HELLO until the device answers, since it may still be starting. Returns the reply's
        body."""
        self._sequence = 0
        reply = self._exchange(Frame(Type.HELLO, 0), timeout, starting=True)
        self._arrived.clear()  # a READY that the line repeats is no restart
        return reply

    def pair(self, key: bytes) -> None:
        """Asks for a nonce. All frames from now on carry a tag, made of it and the key."""
        self._pairing = None
        self._pairing = Pairing(key, self.command(Type.PAIR, size=NONCE_BYTES))

    def raise_rate(self, most: int) -> list[int]:
        """Raises the rate of the line to the highest, up to `most`, that the device and the port
        can have and the line carries. Returns the rates that it does not carry."""
        failed: list[int] = []
        if self._line.is_fixed:
            return failed
        for rate in self._offered(most):
            if rate == self._line.agreed or self._carries(rate):
                return failed
            failed.append(rate)
        if self._line.agreed > most:
            self._carries(BASE)
        return failed

    def _offered(self, most: int) -> list[int]:
        """Returns the rates to try. Firmware that refuses to say has none."""
        wanted = [rate for rate in HIGHER if rate <= most and self._line.can(rate)]
        try:
            self._line.changes, *there = self._ask_rates(wanted)
        except RefusedError:
            return []
        return trials(list(zip(wanted, there, strict=True)))

    def _ask_rates(self, wanted: Sequence[int]) -> tuple[int, ...]:
        """Returns the changes of the rate since the device started, and what it has for each."""
        body = struct.pack(f"<{len(wanted)}I", *wanted)
        reply = self.command(Type.RATES, body, size=4 + len(body))
        return struct.unpack(f"<{1 + len(wanted)}I", reply)

    def _order_rate(self, rate: int, timeout: float = _TIMEOUT_S) -> None:
        self.command(Type.RATE, protocol.RATE.pack(rate), timeout, size=0)
        self._line.changes += 1

    def _carries(self, rate: int) -> bool:
        """Changes the rate of both sides, and sends tests. If they fail, both are at BASE."""
        self._order_rate(rate)
        time.sleep(self._patience * _SETTLE)
        self._line.set(rate)
        self._line.agreed, self._line.on_trial = rate, True
        for test in TESTS:
            if self.command(Type.ECHO, test, size=len(test)) != test:
                raise LinkError("the device returns other bytes than it got; restart it")
            if self._line.agreed != rate:
                break
        self._line.on_trial = False
        return self._line.agreed == rate

    def command(
        self,
        kind: Type,
        body: bytes = b"",
        timeout: float = _TIMEOUT_S,
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
        tries = self._line.tries(starting, self._patience)
        wants = Wants(serve)
        self._waits = True
        wait = self._send(frame, tries)
        while time.monotonic() < end:
            answer = self._await(frame, min(end, time.monotonic() + wait), starting)
            if answer is None or answer.type in _AGAIN:
                self.repeated += 1
                if answer is not None and (starting or self._line.now == BASE):  # it is there
                    self._write(encode(frame))
                else:
                    wait = self._send(frame, tries)
                continue
            self._line.heard(starting)
            if answer.type == Type.WANT:
                self._write(encode(self._rows(answer.sequence, wants.answer(answer.body))))
                tries = self._line.tries(starting, self._patience)
                end, wait = time.monotonic() + timeout, self._patience
            else:
                self._waits = False
                self._check_start()
                return _checked(answer)
        if not starting:
            raise LinkError(f"the board has not answered for {timeout:g} s; restart it")
        raise LinkError(
            f"no answer within {timeout:g} s; is the tinyflash firmware running, and is this "
            "its serial port?"
        )

    def _send(self, frame: Frame, tries: Iterator[tuple[int, float]]) -> float:
        """Sends a frame at the next rate that the port can have. Returns how long to wait."""
        rate, wait = next(tries)
        while not self._line.set(rate):
            rate, wait = next(tries)
        self._write(encode(frame))
        return wait

    def _check_start(self) -> None:
        """After the device has gone back to its first rate: checks that it has not restarted, since
        its READY would have been at another rate than the port's."""
        if not self._line.fell:
            return
        self._line.fell = False
        try:
            has_restarted = self._ask_rates(()) != (self._line.changes,)
        except RefusedError:  # the pairing is gone, too
            has_restarted = True
        if has_restarted:
            raise LinkError(_RESTARTED)

    def _rows(self, sequence: int, body: bytes) -> Frame:
        if self._pairing is not None:
            body = self._pairing.rows(Type.ROWS, sequence, body)
        return Frame(Type.ROWS, sequence, body)

    def _await(self, sent: Frame, end: float, starting: bool) -> Frame | None:
        """Returns the reply to `sent`, a WANT for it, or a reason to send it again; None: nothing
        came in time."""
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
                    raise LinkError(_RESTARTED)
                if frame.type in _AGAIN:
                    return frame
        return None

    def _receive(self) -> list[Frame]:
        reason = self._why_dead()  # ask first, then read: a dying device's last frame is not lost
        try:
            data = self._port.read(max(1, self._port.in_waiting))
        except OSError as error:
            raise self._lost(error) from error
        if not data and reason is not None:
            raise LinkError(reason)
        return list(self._decoder.feed(data))

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except OSError as error:
            for frame in self._last_words():
                _check_alive(frame)
            raise self._lost(error) from error

    def _last_words(self) -> list[Frame]:
        """Reads what the other end sent before it was gone: possibly why it stopped."""
        frames: list[Frame] = []
        end = time.monotonic() + _DYING_S
        with suppress(OSError):
            while time.monotonic() < end and (data := self._port.read(self._port.in_waiting or 1)):
                frames += self._decoder.feed(data)
        return frames

    def _lost(self, error: OSError) -> LinkError:
        """Returns why the line is gone. Waits a moment until the other end is known to be dead."""
        end = time.monotonic() + _DYING_S
        while (reason := self._why_dead()) is None and time.monotonic() < end:
            time.sleep(_POLL_S)
        return LinkError(reason or why_lost(error))


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
        raise RefusedError(f"the device {text}", status[0] if status else 0)
    return body
