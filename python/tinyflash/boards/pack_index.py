"""Downloads a CMSIS pack that a public index lists, with cmsis-pack-manager."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinyflash.boards.packs import Pack, add_pack
from tinyflash.errors import BuildError, printable
from tinyflash.paths import how_to_install

_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,63})::([A-Za-z0-9][A-Za-z0-9_-]{0,63})")


def download_pack(name: str, index: str | None = None) -> Pack:
    """Downloads VENDOR::NAME and adds it. index: the URL of another index than the public one.
    Raises BuildError; then nothing has changed."""
    named = _NAME.fullmatch(name)
    if named is None:
        raise BuildError(f"{printable(name)!r} is neither a file, a folder nor VENDOR::NAME")
    manager = _manager()
    with tempfile.TemporaryDirectory(prefix="tinyflash-") as private, _as_build_errors(name):
        cache = _cache(manager, Path(private), index)
        cache.cache_descriptors()
        return _download(manager, cache, Path(private, "data"), named[1], named[2], index)


@contextmanager
def _as_build_errors(name: str) -> Iterator[None]:
    """The library raises plain exceptions."""
    try:
        yield
    except BuildError:
        raise
    except Exception as error:
        raise BuildError(f"pack {name} cannot be downloaded: {error}") from error


def _manager() -> Any:
    try:
        import cmsis_pack_manager
    except ImportError as error:
        raise BuildError(
            "downloading needs cmsis-pack-manager; run: "
            f"{how_to_install('cmsis-pack-manager')}, or download the .pack file and name it"
        ) from error
    return cmsis_pack_manager


def _cache(manager: Any, private: Path, index: str | None) -> Any:
    """Returns a cache of its own, in folders that must exist."""
    json, data = private / "json", private / "data"
    json.mkdir()
    data.mkdir()
    urls = None
    if index is not None:
        urls = private / "indexes"
        urls.write_text(index + "\n", encoding="utf-8")
    return manager.Cache(
        True, False, json_path=str(json), data_path=str(data), vidx_list=urls and str(urls)
    )


def _download(
    manager: Any, cache: Any, data: Path, vendor: str, pack: str, index: str | None
) -> Pack:
    described = list(data.glob("*.pdsc"))
    if not described:  # a dead server raises nothing
        raise BuildError(f"{index or 'the public index'} lists no packs or cannot be reached")
    prefix = f"{vendor}.{pack}."
    versions = [p.stem.removeprefix(prefix) for p in described if p.stem.startswith(prefix)]
    if not versions:
        raise BuildError(f"{index or 'the public index'} does not list the pack {vendor}::{pack}")
    newest = max(versions, key=_order)
    cache.download_pack_list([manager.CmsisPackRef(vendor, pack, newest)])
    file = data / vendor / pack / f"{newest}.pack"
    if not file.is_file():
        raise BuildError(f"pack {vendor}::{pack} {newest} is listed, but cannot be downloaded")
    return add_pack(file)


def _order(version: str) -> tuple[bool, list[int], str]:
    """Numbers by value; of equal ones, a release is newer than its candidates (1.0.0-rc1)."""
    release, dash, _ = version.partition("-")
    return bool(release), [int(n) for n in re.findall(r"\d+", release)], "" if dash else "~"
