"""Files appear whole or not at all."""

import json
import stat

import pytest

from tinyflash.files import write_atomically, write_bytes, write_json


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
