"""Files appear whole or not at all."""

import json
import stat
from pathlib import Path

import pytest

from tinyflash.files import append_bytes, to_write, write_atomically, write_bytes, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "f"
    write_bytes(path, b"old")

    def fail(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_directory_is_made_and_the_file_is_readable(tmp_path):
    path = tmp_path / "a" / "b.json"
    write_json(path, {"k": [1, 2]})
    assert json.loads(path.read_text()) == {"k": [1, 2]}
    assert path.stat().st_mode & stat.S_IRUSR
    assert path.read_text().endswith("\n")


def test_a_relative_path_stays_relative(tmp_path, monkeypatch):
    """What a command says that it wrote is what its user typed."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "here")
    assert to_write(Path("a/../b.npy")) == Path("b.npy")
    assert to_write(Path("link/b.npy")) == tmp_path / "elsewhere" / "b.npy"
    assert to_write(tmp_path / "here" / "b.npy") == tmp_path / "here" / "b.npy"


@pytest.mark.parametrize("write", [write_bytes, append_bytes, lambda path, _: to_write(path)])
def test_another_process_may_remove_a_folder_that_is_still_empty(tmp_path, monkeypatch, write):
    """As the attempt to write does, when it began before the folder was there."""
    path, removed = tmp_path / "a" / "b" / "file", []
    make = Path.mkdir

    def made_and_removed(folder, *arguments, **options):
        make(folder, *arguments, **options)
        if folder == path.parent and len(removed) < 3:
            folder.rmdir()
            removed.append(folder)

    monkeypatch.setattr(Path, "mkdir", made_and_removed)
    write(path, b"content")
    assert len(removed) == 3
    assert write not in (write_bytes, append_bytes) or path.read_bytes() == b"content"
