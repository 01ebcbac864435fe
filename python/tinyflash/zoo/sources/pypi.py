"""Downloads packages from PyPI with pip: wheels, and source archives.

Package, version and platform tag identify a wheel, so every host fetches the same one. pip asks a
source archive for its metadata, which runs its setup.py. So pip checks the archive's SHA-256 first:
it is the archive that was reviewed when it was pinned.
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from tinyflash.errors import BuildError
from tinyflash.zoo.sources.fetch import LARGEST_MEMBER, Member, run_tool

_PIP = ["-P", "-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "--quiet"]


@dataclass(frozen=True)
class _Release:
    """The common part of wheels and source archives."""

    package: str
    version: str

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"

    @property
    def label(self) -> str:
        return f"{self.requirement} from PyPI"

    @property
    def folder(self) -> str:
        return f"{self.package}-{self.version}"

    def installed(self, member: Member) -> Path | None:
        return None

    def _pip(self, directory: Path, options: list[str], pattern: str) -> Path:
        """Downloads into `directory`. Returns the one file that matches `pattern`."""
        command = [sys.executable, *_PIP, f"--dest={directory}", *options]
        reason = run_tool("pip", command, directory)
        if reason:
            raise BuildError(
                f"cannot download {self.label}: {reason}; check the network, then try again"
            )
        found = list(directory.glob(pattern))
        if len(found) != 1:
            raise BuildError(f"pip downloaded no {pattern} of {self.requirement}; update pip")
        return found[0]


@dataclass(frozen=True)
class Wheel(_Release):
    """A wheel and its wanted members."""

    python: str  # such as 3.11
    platforms: tuple[str, ...]
    members: tuple[Member, ...]

    def download(self, directory: Path) -> Callable[[tuple[str, ...]], bytes]:
        options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={self.python}"]
        options += [f"--platform={platform}" for platform in self.platforms]
        content = self._pip(directory, [*options, self.requirement], "*.whl").read_bytes()
        return lambda path: _unzip(content, path)


@dataclass(frozen=True)
class Sources(_Release):
    """A source archive (.tar.gz) with its SHA-256, and its wanted members."""

    sha256: str
    members: tuple[Member, ...]

    def download(self, directory: Path) -> Callable[[tuple[str, ...]], bytes]:
        wanted = directory / "wanted.txt"
        wanted.write_text(f"{self.requirement} --hash=sha256:{self.sha256}\n")
        options = ["--no-binary=:all:", "--require-hashes", f"--requirement={wanted}"]
        archive = self._pip(directory, options, "*.tar.gz").read_bytes()
        return lambda path: untar(archive, path[0])


def _unzip(content: bytes, path: tuple[str, ...]) -> bytes:
    for name in path:
        try:
            with zipfile.ZipFile(BytesIO(content)) as archive:
                _limit(name, archive.getinfo(name).file_size)
                content = archive.read(name)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{name}: {error}") from error
    return content


def untar(content: bytes, path: str) -> bytes:
    """Returns a file in a tar archive, compressed or not."""
    try:
        with tarfile.open(fileobj=BytesIO(content)) as archive:
            _limit(path, archive.getmember(path).size)
            file = archive.extractfile(path)
            if file is None:
                raise ValueError(f"{path} is not a file")
            return file.read()
    except tarfile.TarError as error:
        raise ValueError(f"{path}: not in an intact tar archive") from error


def _limit(name: str, size: int) -> None:
    if size > LARGEST_MEMBER:
        raise ValueError(f"{name} is larger than {LARGEST_MEMBER} bytes")
