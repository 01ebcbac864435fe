"""The objects of earlier builds, kept by SCons in the cache: same code, same flags, same object.

SCons's own signature of a file holds its path, which for a build in a temporary folder is new each
time. Here the folder of a build does not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from SCons.CacheDir import CacheDir

from tinyflash.files import cache_dir, forget


class KeptObjects(CacheDir):  # type: ignore[misc]  # SCons has no types
    """A cache of SCons for environments whose PLACES are the folders that do not count."""

    def cachepath(self, node: Any) -> tuple[str, str] | tuple[None, None]:
        """Returns the folder and the file in which the cache has a file of the build."""
        if not self.is_enabled():
            return None, None
        digest = hashlib.sha256(_own_part(node))
        for source in node.children():  # with headers and the compiler
            digest.update(source.get_csig().encode() + b"\0")
        name = digest.hexdigest()
        folder = Path(self.path, name[:2])
        return str(folder), str(folder / name)


def _own_part(node: Any) -> bytes:
    """Returns the file's name and the command that makes it, without the folder of the build."""
    parts = (node.fs.Top.get_abspath(), node.get_internal_path())  # debuggers look in the first
    text = "\0".join([*parts, node.get_executor().get_contents().decode()])
    for number, place in enumerate(node.get_build_env()["PLACES"]):
        text = text.replace(str(place), f"<{number}>")
    return bytes(text.encode())


def keep_objects(env: Any, places: Iterable[Path]) -> None:
    """Lets an environment of SCons take objects of earlier builds. places: folders, the inner ones
    before those that hold them, whose names do not count. A cache that cannot be written is not
    used."""
    env["PLACES"] = list(places)
    folder = cache_dir() / "objects"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        forget(folder)
        env.CacheDir(str(folder), KeptObjects)
