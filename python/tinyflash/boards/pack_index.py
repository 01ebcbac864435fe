"""Downloads a CMSIS pack that a public index lists, with cmsis-pack-manager."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tinyflash.boards.packs import add_pack
from tinyflash.boards.pdsc import Pack, is_pack_name, version_order
from tinyflash.errors import BuildError, printable
from tinyflash.paths import how_to_install

# Seconds without anything new after which a server is held to be dead. A whole pack comes at once,
# of up to hundreds of megabytes.
_INDEX_S, _PACK_S = 60.0, 600.0
_LOOK_S = 0.1


def download_pack(name: str, index: str | None = None) -> Pack:
    """Downloads VENDOR::NAME and adds it. index: the URL of another index than the public one.
    Raises BuildError; then nothing has changed."""
    if not is_pack_name(name):
        raise BuildError(f"{printable(name)!r} is neither a file, a folder nor VENDOR::NAME")
    manager = pack_manager()
    with as_build_errors(name), private_folder() as private:
        cache = open_cache(manager, private, index)
        read_index(cache, index)
        vendor, _, pack = name.partition("::")
        return _download(manager, cache, private / "data", vendor, pack, index)


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yields a folder. A download that was given up may still write to it when it goes."""
    with tempfile.TemporaryDirectory(prefix="tinyflash-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def as_build_errors(name: str) -> Iterator[None]:
    """Within it, an error is a BuildError on `name`: the library raises plain exceptions."""
    try:
        yield
    except BuildError:
        raise
    except Exception as error:
        what = f"pack {name}" if is_pack_name(name) else f"the pack of {printable(name)}"
        raise BuildError(f"{what} cannot be downloaded: {error}") from error


def pack_manager() -> Any:
    """Returns the library. Raises BuildError if it is missing."""
    try:
        import cmsis_pack_manager
    except ImportError as error:
        raise BuildError(
            "downloading needs cmsis-pack-manager; run: "
            f"{how_to_install('cmsis-pack-manager')}, or download the .pack file and name it"
        ) from error
    return cmsis_pack_manager


def open_cache(manager: Any, private: Path, index: str | None) -> Any:
    """Returns a cache of its own, in folders that must exist. Raises BuildError for an index that
    is no URL, on which the library would wait forever."""
    if index is not None and not _is_url(index):
        raise BuildError(f"{printable(index)!r} is not the URL of an index; write https://...")
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


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    plain = text.isprintable() and " " not in text
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname)


def read_index(cache: Any, index: str | None) -> None:
    """Downloads the descriptions of all packs. Raises BuildError if the server is silent."""
    _attended(cache.cache_descriptors, Path(cache.data_path), _INDEX_S, index)


def fetch_packs(cache: Any, packs: list[Any], index: str | None) -> None:
    """Downloads packs of the index. Raises BuildError if a server is silent."""
    _attended(lambda: cache.download_pack_list(packs), Path(cache.data_path), _PACK_S, index)


def _attended(work: Callable[[], object], folder: Path, patience: float, index: str | None) -> None:
    """Does what waits forever for a server that says nothing. Raises BuildError after so many
    seconds without a new file, and what the work raises."""
    failed: list[BaseException] = []

    def tried() -> None:
        try:
            work()
        except BaseException as error:  # for the caller, in the other thread
            failed.append(error)

    thread = threading.Thread(target=tried, daemon=True)  # or the command would wait at its end
    thread.start()
    known, since = -1, time.monotonic()
    while thread.is_alive():
        thread.join(_LOOK_S)
        if (now := sum(1 for _ in folder.rglob("*"))) != known:
            known, since = now, time.monotonic()
        if thread.is_alive() and time.monotonic() - since > patience:
            what = index or "the public index"
            raise BuildError(f"{what}: nothing came for {patience:.0f} s; try again later")
    if failed:
        raise failed[0]


def no_packs(index: str | None) -> BuildError:
    """Returns the error for an index without any."""
    return BuildError(
        f"{index or 'the public index'} lists no packs that can be read, or cannot be reached"
    )


def _download(
    manager: Any, cache: Any, data: Path, vendor: str, pack: str, index: str | None
) -> Pack:
    described = list(data.glob("*.pdsc"))
    if not described:  # a dead server raises nothing
        raise no_packs(index)
    prefix = f"{vendor}.{pack}."
    versions = [p.stem.removeprefix(prefix) for p in described if p.stem.startswith(prefix)]
    if not versions:
        raise BuildError(f"{index or 'the public index'} does not list the pack {vendor}::{pack}")
    newest = max(versions, key=version_order)
    fetch_packs(cache, [manager.CmsisPackRef(vendor, pack, newest)], index)
    file = data / vendor / pack / f"{newest}.pack"
    if not file.is_file():
        raise BuildError(f"pack {vendor}::{pack} {newest} is listed, but cannot be downloaded")
    return add_pack(file)
