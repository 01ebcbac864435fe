"""tinyflash export: what was learned as a .tflite file, and what it refuses."""

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash

from tinyflash.compiler import compile_model
from tinyflash.read import read
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.learned import load_learned
from tinyflash.runtime.units import decode, encode
from tinyflash.scheme import Scheme, load_scheme


@pytest.fixture(params=["a scheme", "the classifier alone"])
def trained(request, tmp_path, model, scheme, data):
    """Arguments of a training, and its learned.npz."""
    how = ("--scheme", scheme) if request.param == "a scheme" else ()
    arguments = ("train", model, *how, "--data", data, "--epochs", "1", "-o", tmp_path / "out")
    assert tinyflash(*arguments).exit_code == 0
    return how, tmp_path / "out" / "learned.npz"


def test_what_was_learned_is_in_the_file(tmp_path, model, scheme, trained):
    how, learned = trained
    path = tmp_path / "learned.tflite"
    result = tinyflash("export", model, *how, "--learned", learned, "-o", path)
    assert result.exit_code == 0, result.output
    assert f"wrote {path}: {path.stat().st_size:,} bytes" in result.output
    compiled = compile_model(read(model), load_scheme(scheme) if how else Scheme())
    session = HostSession(compiled.program)
    load_learned(learned, compiled.program).restore(session)
    x = np.random.default_rng(1).normal(0, 1, (9, 8, 8, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    assert tinyflash("infer", path, tmp_path / "x.npy", "-o", tmp_path / "y.npy").exit_code == 0
    expected = [session.infer(one) for one in encode(compiled.graph.input, x)]
    found = np.load(tmp_path / "y.npy")
    assert np.array_equal(found, decode(compiled.graph.output, np.array(expected)))
    assert found.shape == (9, 3 if how else 5)


def test_the_folder_of_a_run_is_its_learned_weights(tmp_path, model, data, trained):
    how, learned = trained
    files = [tmp_path / "one.tflite", tmp_path / "two.tflite"]
    for named, path in zip((learned, learned.parent), files, strict=True):
        assert tinyflash("export", model, *how, "--learned", named, "-o", path).exit_code == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    line = refused("export", model, *how, "--learned", tmp_path, "-o", files[0])
    assert f"{tmp_path / 'learned.npz'}: there is no such file" in line
    further = ("--data", data, "--epochs", "1", "-o", tmp_path / "next")
    result = tinyflash("train", model, *how, *further, "--resume", learned.parent)
    assert result.exit_code == 0, result.output
    learned.rename(tmp_path / "copy.npz")
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "learned.npz"
    (tmp_path / "copy.npz").rename(path)
    line = refused("export", model, *how, "--learned", path.parent, "-o", path)
    assert "is also '--learned' of this command" in line


def test_what_was_learned_by_rows_is_written(tmp_path, model, scheme, data):
    how, out = ("--scheme", scheme, "--rows"), tmp_path / "out"
    assert (
        tinyflash("train", model, *how, "--data", data, "--epochs", "1", "-o", out).exit_code == 0
    )
    learned = ("--learned", out / "learned.npz", "-o", tmp_path / "e.tflite")
    assert tinyflash("export", model, *how, *learned).exit_code == 0
    assert "another model or scheme" in refused("export", model, *how[:2], *learned)


def test_a_network_that_learned_nothing_is_written_as_it_is(tmp_path, model, scheme):
    for name, how in (("plain", ()), ("head", ("--scheme", scheme))):
        path = tmp_path / f"{name}.tflite"
        assert tinyflash("export", model, *how, "-o", path).exit_code == 0
        assert read(path).output.shape == (1, 3 if how else 5)


def test_what_belongs_elsewhere_is_refused(tmp_path, model, trained):
    _, learned = trained
    path = tmp_path / "e.tflite"
    (tmp_path / "other.toml").write_text("head = 9")
    other = ("--scheme", tmp_path / "other.toml")
    line = refused("export", model, *other, "--learned", learned, "-o", path)
    assert "belongs to another model or scheme" in line
    assert "under the same file name, and the same --scheme and --rows" in line
    assert "folder" in refused("export", model, "-o", learned / "e.tflite")
    assert not path.exists()


def test_the_name_of_the_model_file_counts(tmp_path, model, trained):
    """It is part of the hash: the refusal and the manual say so."""
    how, learned = trained
    renamed = model.rename(tmp_path / "renamed.tflite")
    how = (*how, "--learned", learned, "-o", tmp_path / "e.tflite")
    assert "under the same file name" in refused("export", renamed, *how)
    renamed.rename(model)
    assert tinyflash("export", model, *how).exit_code == 0
