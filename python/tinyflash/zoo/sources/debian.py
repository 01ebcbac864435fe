"""Downloads Debian packages with apt-get and unpacks them into the cache, without root.

Any Debian release works if the wanted files have the same checksums.
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
    """A data package and its wanted members. Paths of members begin with ./"""

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
                f"{self.label} is needed, but apt-get is missing; download it from "
                f"packages.debian.org/{self.package} and unpack its "
                f"{Path(self.members[0].path[0]).parent}/* into {cache_dir() / self.folder}"
            )
        # The sandbox user of apt cannot write to a private directory, and prints long warnings.
        command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", self.package]
        reason = run_tool("apt-get", command, directory)
        if reason:
            raise BuildError(f"cannot download {self.label}: {reason}; try: sudo apt-get update")
        content = _payload(next(directory.glob("*.deb")))
        return lambda path: untar(content, path[0])


def _payload(archive: Path) -> bytes:
    """Returns the files of a package as an uncompressed tar archive."""
    run = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], capture_output=True)
    if run.returncode:
        raise BuildError(f"cannot unpack {archive.name}: {run.stderr.decode().strip()}")
    return run.stdout
