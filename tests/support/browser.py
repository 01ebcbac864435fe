"""A headless Chromium that tests can steer: over pipes, in the DevTools protocol."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--remote-debugging-pipe",
    "--no-first-run",
)
_GONE = "Inspected target navigated or closed"
_TO, _FROM = 3, 4  # the descriptors that Chromium reads and writes


class GoneError(AssertionError):
    """The page that a script was to run in has been replaced."""


class Browser:
    """One page. requests: the URLs that it has asked for. said: errors of its scripts, and what its
    content security policy has stopped."""

    def __init__(self, folder: Path, width: int, height: int = 900, dark: bool = False) -> None:
        self.requests: list[str] = []
        self.said: list[str] = []
        self._number, self._buffer = 0, b""
        to_read, self._out = os.pipe()
        self._in, to_write = os.pipe()

        def joined() -> None:
            spare = [fcntl.fcntl(one, fcntl.F_DUPFD, 100) for one in (to_read, to_write)]
            for one, place in zip(spare, (_TO, _FROM), strict=True):
                os.dup2(one, place, inheritable=True)

        self._process = subprocess.Popen(
            [str(CHROMIUM), *_OPTIONS, f"--user-data-dir={folder}", "about:blank"],
            close_fds=False, preexec_fn=joined, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read), os.close(to_write)
        pages = self._ask("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in pages if one["type"] == "page")
        found = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(30)
        os.close(self._in), os.close(self._out)

    def open(self, url: str) -> None:
        self.ask("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """What a script finds in the page."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, expression: str, seconds: float = 30.0) -> Any:
        """Waits until a script finds something that is true; it may fail while the page loads."""
        end = time.monotonic() + seconds
        patient = f"(() => {{ try {{ return {expression}; }} catch {{}} }})()"
        while not (found := self._value_of_a_page(patient)):
            assert time.monotonic() < end, (expression, self.said)
            time.sleep(0.05)
        return found

    def _value_of_a_page(self, expression: str) -> Any:
        """None while one page gives way to the next."""
        try:
            return self.value(expression)
        except GoneError:
            return None

    def picture(self, height: int | None = None) -> bytes:
        """The page as .png, from its top. height: None is all of it."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {
            "x": 0,
            "y": 0,
            "width": size["width"],
            "height": height or size["height"],
            "scale": 1,
        }
        shot = self.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def ask(self, method: str, **parameters: Any) -> Any:
        return self._ask(method, self._session, **parameters)

    def _ask(self, method: str, session: str = "", /, **parameters: Any) -> Any:
        self._number += 1
        asked = {"id": self._number, "method": method, "params": parameters}
        if session:
            asked["sessionId"] = session
        os.write(self._out, json.dumps(asked).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self._number:
                error = message.get("error", {}).get("message")
                if error == _GONE:
                    raise GoneError(error)
                assert error is None, message
                return message["result"]
            self._hear(message)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            data = os.read(self._in, 1 << 16)
            assert data, "Chromium has ended"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)  # type: ignore[no-any-return]

    def _hear(self, message: dict[str, Any]) -> None:
        now = message.get("params", {})
        hear: dict[str, Callable[[], None]] = {
            "Network.requestWillBeSent": lambda: self.requests.append(now["request"]["url"]),
            "Runtime.exceptionThrown": lambda: self.said.append(str(now["exceptionDetails"])),
            "Log.entryAdded": lambda: self.said.append(now["entry"]["text"]),
        }
        hear.get(message.get("method", ""), lambda: None)()
