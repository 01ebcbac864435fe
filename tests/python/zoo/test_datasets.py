"""Data sets: files as their makers wrote them, in small, and what is said of damaged ones."""

from __future__ import annotations

import gzip
import io
import pickle
import shutil
import struct
import subprocess
import sys
import tarfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyflash.errors import BuildError, DataError
from tinyflash.zoo.sources import activity, debian, digits, exercises, fashion, fetch, frames
from tinyflash.zoo.sources.debian import Deb
from tinyflash.zoo.sources.fetch import Member
from tinyflash.zoo.sources.idx import read_idx


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


# ---- IDX -----------------------------------------------------------------------------------------


def idx(array: np.ndarray[Any, Any], kind: int = 8) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()


PICTURES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def test_idx(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx(PICTURES)))
    assert np.array_equal(read_idx(tmp_path / "a.gz"), PICTURES)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(idx(PICTURES))[:-12], "cannot be read"),
        (b"not gzip", "cannot be read"),
        (gzip.compress(b""), "not an IDX file"),
        (gzip.compress(idx(PICTURES, kind=13)), "not an IDX file"),
        (gzip.compress(idx(PICTURES)[:9]), "header is cut off"),
        (gzip.compress(idx(PICTURES)[:-1]), "23 elements, its header says"),
        (gzip.compress(struct.pack(">HBB3I", 0, 8, 3, *[2**32 - 1] * 3)), "0 elements"),
    ],
    ids=["cut off", "not gzip", "empty", "kind", "header", "one short", "huge"],
)
def test_damaged_idx_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read_idx(tmp_path / "a.gz")
    one_line(caught)


def test_fashion(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def keep(_: object, name: str) -> Path:
        content = PICTURES if "images" in name else np.array([7, 2], np.uint8)
        (tmp_path / name).write_bytes(gzip.compress(idx(content)))
        return tmp_path / name

    monkeypatch.setattr(fashion, "fetch", keep)
    x, y = fashion.fashion("t10k")
    assert np.array_equal(x, PICTURES)
    assert y.tolist() == [7, 2]


def test_digits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "digits.csv.gz"
    monkeypatch.setattr(digits, "fetch", lambda *_: path)
    rows = [[*range(16)] * 4 + [3], [16] * 64 + [9]]
    text = "\n".join(",".join(map(str, row)) for row in rows)
    path.write_bytes(gzip.compress(text.encode()))
    x, y = digits.digits()
    assert x.shape == (2, 8, 8)
    assert x[0, 1, 2] == 10
    assert y.tolist() == [3, 9]
    for broken in (text[:-20], text.replace("16", "x")):
        path.write_bytes(gzip.compress(broken.encode()))
        with pytest.raises(DataError, match="cannot be read") as caught:
            digits.digits()
        one_line(caught)


# ---- Packages of Debian --------------------------------------------------------------------------

DEB = Deb("thing", (Member("a", ("./usr/share/thing/a",), fetch.hashlib.sha256(b"A").hexdigest()),))


def tarred(**files: bytes) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"./usr/share/thing/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return content.getvalue()


class Apt:
    """Stands in for apt-get and dpkg-deb."""

    def __init__(self) -> None:
        self.content, self.failure = tarred(a=b"A"), ""

    def __call__(self, command: list[Any], **options: Any) -> subprocess.CompletedProcess[Any]:
        if command[0] == "dpkg-deb":
            return subprocess.CompletedProcess(command, 0, self.content, b"")
        if self.failure:
            return subprocess.CompletedProcess(command, 100, "", self.failure)
        Path(options["cwd"], "thing_1_all.deb").touch()
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Apt:
    stand_in = Apt()
    monkeypatch.setattr(subprocess, "run", stand_in)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setenv("TINYFLASH_CACHE", str(tmp_path))
    return stand_in


def test_deb_is_unpacked_into_the_cache(apt: Apt, tmp_path: Path) -> None:
    assert fetch.fetch(DEB, "a") == tmp_path / "thing" / "a"
    assert (tmp_path / "thing" / "a").read_bytes() == b"A"


def test_installed_deb_is_used_as_it_is(apt: Apt, monkeypatch: Any, tmp_path: Path) -> None:
    (tmp_path / "installed").write_bytes(b"A")
    monkeypatch.setattr(Deb, "installed", lambda *_: tmp_path / "installed")
    assert fetch.fetch(DEB, "a") == tmp_path / "installed"
    (tmp_path / "installed").write_bytes(b"another release")
    assert fetch.fetch(DEB, "a") == tmp_path / "thing" / "a"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tarred(a=b"B"), "a is not the expected file"),
        (tarred(b=b"A"), "cannot unpack"),
        (b"no tar", "cannot unpack"),
    ],
)
def test_wrong_deb(apt: Apt, content: bytes, words: str) -> None:
    apt.content = content
    with pytest.raises(BuildError, match=words) as caught:
        fetch.fetch(DEB, "a")
    one_line(caught)


def test_failing_apt_is_one_line(apt: Apt) -> None:
    apt.failure = "W: something\nE: Unable to locate package thing\n"
    with pytest.raises(BuildError, match="Unable to locate package thing; try: sudo") as caught:
        fetch.fetch(DEB, "a")
    one_line(caught)


def test_without_apt_it_says_what_to_put_where(apt: Apt, monkeypatch: Any) -> None:
    monkeypatch.setattr(debian.shutil, "which", lambda _: None)
    with pytest.raises(BuildError, match=r"packages.debian.org/thing .* \./?usr/share|usr/share"):
        fetch.fetch(DEB, "a")


# ---- Pickled DataFrames --------------------------------------------------------------------------


class _Stub:
    """Becomes a class of pandas, pickled as such."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def __getstate__(self) -> Any:
        return self.state


def pickled(columns: dict[str, np.ndarray[Any, Any]], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """{5: [a DataFrame of the columns]} as pandas of old pickled it."""

    for parent in ("pandas", "pandas.core", "pandas.core.indexes", "pandas.core.internals"):
        monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))

    def stub(module: str, name: str) -> type[_Stub]:
        kind = type(name, (_Stub,), {"__module__": module, "__qualname__": name})
        place = types.ModuleType(module)
        setattr(place, name, kind)
        monkeypatch.setitem(sys.modules, module, place)
        return kind

    frame = stub("pandas.core.frame", "DataFrame")
    manager = stub("pandas.core.internals.managers", "BlockManager")
    base = types.ModuleType("pandas.core.indexes.base")
    monkeypatch.setitem(sys.modules, base.__name__, base)

    def new_index(kind: Any, state: Any) -> Any:
        raise AssertionError

    new_index.__module__, new_index.__qualname__ = base.__name__, "_new_Index"
    base._new_Index = new_index  # type: ignore[attr-defined]

    class Index:
        def __init__(self, names: list[str]) -> None:
            self.names = np.array(names, object)

        def __reduce__(self) -> Any:
            return new_index, (slice, {"data": self.names, "name": None})

    axes = [Index(list(columns)), Index([])]
    names = [Index([name]) for name in columns]
    arrays = [column[np.newaxis] for column in columns.values()]
    table = {5: [frame({"_data": manager((axes, arrays, names, {}))})]}
    return pickle.dumps(table, 1).replace(b"cnumpy._core", b"cnumpy.core")


def test_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"acc-x": np.array([0.5, -1.0, 2.0]), "label": np.array([1, 2, -1])}
    (key, (frame,)), *rest = frames.read_frames(pickled(columns, monkeypatch), "f").items()
    assert (key, rest) == (5, [])
    assert {name: values.tolist() for name, values in frame.items()} == {
        name: values.tolist() for name, values in columns.items()
    }


def as_npy(table: Any) -> bytes:
    """A .npy file of one object, as old numpy wrote it."""
    content = io.BytesIO()
    np.save(content, table)
    header, pickled = content.getvalue()[:128], content.getvalue()[128:]
    return header + pickle.dumps(pickle.loads(pickled), 1).replace(b"cnumpy._core", b"cnumpy.core")


def recorded(axes: int = 6) -> dict[str, Any]:
    x = [np.arange(2.0 * axes).reshape(2, axes), np.arange(3.0 * axes).reshape(3, axes)]
    people = np.array([7.0, 10.0])
    return {"X": x, "y_labels": ["PEN"], "y": np.array([6, 0]), "subject": people}


def test_exercises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "watch.npy"
    monkeypatch.setattr(exercises, "fetch", lambda *_: path)
    path.write_bytes(as_npy(recorded()))
    first, second = exercises.exercises()
    assert (first.label, first.person, second.label, second.person) == (6, 7, 0, 10)
    assert first.motion.tolist() == recorded()["X"][0].tolist()
    assert second.motion.shape == (3, 6)
    for wrong in (recorded(5), {"X": []}, {3}):
        path.write_bytes(as_npy(wrong))
        with pytest.raises(DataError, match=r"watch.npy: .*fetch it again") as caught:
            exercises.exercises()
        one_line(caught)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"cos\nsystem\n(S'touch {}'\ntR.", "os.system is not allowed"),
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval is not allowed"),
        (b"c__builtin__\ngetattr\n.", "getattr is not allowed"),
        (b"cnumpy\nload\n.", "numpy.load is not allowed"),
        (b"ccopy_reg\n_reconstructor\n(c__builtin__\nslice\nNNtR.", "an object of another kind"),
        (b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.", "text coded as rot13"),
        (b"cnumpy\ndtype\n(S'M8'\nI0\nI1\ntR.", "arrays of M8"),
        (b"Pos.system\n.", "references to outside"),
        (b"}.garbage"[:1], "cannot be read"),
        (b"]I1\na.", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_pickles_can_name_nothing_else(tmp_path: Path, content: bytes, words: str) -> None:
    trap = tmp_path / "trap"
    with pytest.raises(DataError, match=words) as caught:
        frames.read_frames(content.replace(b"{}", str(trap).encode()), "f")
    one_line(caught)
    assert not trap.exists()


def test_recordings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    columns = {name: np.array([1.0, 2.0, 3.0]) * i for i, name in enumerate(activity._AXES)}
    columns["label"] = np.array([1, 6, 12])
    path = tmp_path / "HAPT.pkl.gz"
    path.write_bytes(gzip.compress(pickled(columns, monkeypatch)))
    monkeypatch.setattr(activity, "fetch", lambda *_: path)
    (recording,) = activity.recordings()[5]
    assert recording.motion.tolist() == [[i * n for i in range(6)] for n in (1, 2, 3)]
    assert recording.labels.tolist() == [0, 5, activity.NONE]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="cannot be read") as caught:
        activity.recordings()
    one_line(caught)
