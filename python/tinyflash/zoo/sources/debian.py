"""Packages of Debian, downloaded with apt-get and unpacked into the cache: no root is needed.

Which release of Debian is irrelevant as long as the files wanted are the very same.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tinyflash.errors import BuildError
from tinyflash.files import cache_dir
from tinyflash.zoo.sources.fetch import Member, run_tool
from tinyflash.zoo.sources.pypi import untar


@dataclass(frozen=True)
class Deb:
    """A package of data, and what is wanted of it; paths of members begin with ./"""

    package: str
    members: tuple[Member, ...]

    @property
    def label(self) -> str:
        return f"Debian package {self.package}"

    @property
    def folder(self) -> str:
        return self.package

    def installed(self, member: Member) -> Path | None:
        return Path("/", member.path[0])

    def download(self, directory: Path) -> Callable[[tuple[str, ...]], bytes]:
        if not shutil.which("apt-get"):
            raise BuildError(
                f"{self.label} is needed, and there is no apt-get here; download it from "
                f"packages.debian.org/{self.package} and unpack its "
                f"{Path(self.members[0].path[0]).parent}/* into {cache_dir() / self.folder}"
            )
        # The sandbox user of apt cannot write to a private directory, and says so at length.
        command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", self.package]
        reason = run_tool("apt-get", command, directory)
        if reason:
            raise BuildError(f"cannot download {self.label}: {reason}; try: sudo apt-get update")
        content = _payload(next(directory.glob("*.deb")))
        return lambda path: untar(content, path[0])


def _payload(archive: Path) -> bytes:
    """The files of a package, as an uncompressed tar archive."""
    run = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], capture_output=True)
    if run.returncode:
        raise BuildError(f"cannot unpack {archive.name}: {run.stderr.decode().strip()}")
    return run.stdout
