"""The command line where things go wrong around it: odd names, full disks, Ctrl-C, a second run."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.onnxmodels import NETWORKS

from tinyflash.cli import COMMANDS, main, options


def test_names_of_files_may_hold_any_character(tmp_path, model):
    """Brackets are markup to the terminal, dollars to plots, tags to a browser."""
    odd = model.rename(tmp_path / '[red]<script>"&$\\frac$ .tflite')
    out = tmp_path / "o[" / "y]"
    assert "[red]<script>" in tinyflash("inspect", odd).stdout
    assert tinyflash("compile", odd, "-o", out).exit_code == 0
    assert '<script>"&' not in (out / "report.html").read_text()
    result = tinyflash("export", odd, "-o", tmp_path / "e[" / "y].tflite")
    assert "e[/y].tflite" in result.output


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="has no limit of file sizes")
@pytest.mark.parametrize(("room", "name"), [(500, "model.c"), (5000, "report.html")])
def test_a_full_disk_gets_one_line_with_the_path_and_the_old_file_stays(
    tmp_path, model, room, name
):
    """Before the work where not even a block fits, else at the file that is too large."""

    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("old")
    command = [sys.executable, "-m", "tinyflash", "compile", str(model), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=full)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"{out}/" in line
    assert "cannot be written: File too large" in line
    assert (out / name).read_text() == "old"
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="has no limit of file sizes")
def test_a_disk_that_fills_up_after_the_training_does_not_hide_what_was_learned(
    tmp_path, model, data
):
    """The weights take 1 KB, the report 37."""

    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    out = tmp_path / "out"
    command = ["train", model, "--data", data, "-o", out, "--epochs", "1", "--quiet"]
    command = [sys.executable, "-m", "tinyflash", *map(str, command)]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=full)
    line = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert "report.html cannot be written: File too large" in line
    assert line.endswith(f"; what was learned is in {out / 'learned.npz'}")
    assert tinyflash("evaluate", model, "--data", data, "--learned", out).exit_code == 0


@pytest.mark.parametrize(
    ("number", "line"),
    [(signal.SIGINT, "stopped by Ctrl-C"), (signal.SIGTERM, "stopped by SIGTERM")],
)
def test_a_signal_ends_a_compilation_without_a_trace(number, line, tmp_path, model, monkeypatch):
    """While it writes its second file."""
    replace, written, before = Path.replace, [], signal.getsignal(number)

    def interrupted(self, target):
        if written:
            os.kill(os.getpid(), number)
        written.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    result = tinyflash("compile", model, "-o", tmp_path / "out")
    assert (result.exit_code, result.stderr.splitlines()) == (128 + number, [line])
    assert signal.getsignal(number) is before
    assert list((tmp_path / "out").iterdir()) == written


def test_two_compilations_into_one_folder_leave_whole_files(tmp_path, model):
    """Either's; and a table of one with the header of the other would not build."""
    command = [sys.executable, "-m", "tinyflash", "compile", str(model), "-o", str(tmp_path / "o")]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert tinyflash("compile", model, "-o", tmp_path / "alone").exit_code == 0
    for name in ("model.c", "model.h", "report.txt", "report.json", "report.html"):
        alone = (tmp_path / "alone" / name).read_bytes()
        assert (tmp_path / "o" / name).read_bytes() == alone
    assert not [path for path in (tmp_path / "o").iterdir() if path.name.startswith(".")]


def _unharmed(files, *arguments):
    """The line of a refusal that leaves these files as they are."""
    before = [file.read_bytes() for file in files]
    line = refused(*arguments)
    assert [file.read_bytes() for file in files] == before
    return line


def test_no_command_writes_over_a_file_that_it_reads(tmp_path, model, data):
    """By its own name, by another, or through a link."""
    x = tmp_path / "x.npy"
    np.save(x, np.zeros((2, 8, 8, 3), np.float32))
    (tmp_path / "link.npy").symlink_to(x)
    (tmp_path / "folder").mkdir()
    for output in (x, tmp_path / "link.npy", tmp_path / "folder" / ".." / "x.npy"):
        line = _unharmed([model, x], "infer", model, x, "-o", output)
        assert "x.npy is also 'X.npy' of this command; choose another file name" in line
    assert "is also 'MODEL'" in _unharmed([model], "infer", model, x, "-o", model)
    assert "is also 'MODEL'" in _unharmed([model], "export", model, "-o", model)
    line = _unharmed([data], "train", model, "--data", data, "--health", data, "-o", tmp_path)
    assert "is also '--data'" in line


def test_quantize_harms_none_of_its_files(tmp_path):
    network, x = tmp_path / "net.onnx", tmp_path / "x.npy"
    network.write_bytes(NETWORKS["plain"]())
    np.save(x, np.zeros((2, 3, 12, 10), np.float32))
    command = ("quantize", network, "--calibration", x)
    for output in (network, tmp_path / "q.ONNX"):
        assert "give it a name with .tflite" in _unharmed([network], *command, "-o", output)
    assert not (tmp_path / "q.ONNX").exists()
    assert "is also '--calibration'" in _unharmed([x], *command, "-o", x)
    new = tmp_path / "new"
    line = refused(*command, "-o", new, "--errors", new)
    assert "new is also '-o' / '--out' of this command" in line
    assert not new.exists()


def _commands(group):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield from _commands(command) if isinstance(command, click.Group) else (command,)


def test_every_command_checks_its_files():
    found = list(_commands(main))
    assert len(found) > len(COMMANDS)
    assert all(isinstance(command, options.Command) for command in found)
