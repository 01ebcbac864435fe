"""What spares a user time: paths for builds, silence, completion."""

import subprocess
import sys

import pytest
from tests.support.commands import refused, tinyflash
from tests.support.firmware import EMULATED
from tests.support.sets import signal_set

from tinyflash.cli import COMMANDS, system
from tinyflash.paths import source_root
from tinyflash.search.budget import in_words
from tinyflash.show.console import QUIET

# ---- Sources -------------------------------------------------------------------------------------


def test_sources_are_arguments_of_a_compiler(tmp_path):
    """Everything that a model needs, and nothing twice."""
    arguments = tinyflash("sources").stdout.split()
    main = tmp_path / "main.c"
    main.write_text(
        '#include "tinyflash/tinyflash.h"\n'
        "int main(void) { return tiny_error_text(TINY_OK) == 0; }\n"
    )
    subprocess.run(["cc", main, *arguments, "-o", tmp_path / "main"], check=True)
    subprocess.run([tmp_path / "main"], check=True)


def test_the_options_of_sources_print_parts_of_it():
    root = source_root()
    include, *files = tinyflash("sources").stdout.splitlines()
    assert tinyflash("sources", "--include").stdout.splitlines() == [include.removeprefix("-I")]
    assert include == f"-I{root / 'include'}"
    assert tinyflash("sources", "--sources").stdout.splitlines() == files
    assert set(files) == {str(p) for p in (root / "lib").rglob("*.c")}
    cmake = tinyflash("sources", "--cmake").stdout
    assert cmake.startswith(f"set(TINYFLASH_INCLUDE\n    [==[{root / 'include'}]==])\n")
    assert all(f"[==[{file}]==]" in cmake.split("set(TINYFLASH_SOURCES")[1] for file in files)
    assert tinyflash("sources", "--examples").stdout == f"{root / 'examples'}\n"


# ---- Names ---------------------------------------------------------------------------------------


def test_compile_writes_under_a_name(tmp_path, model):
    result = tinyflash("compile", model, "--name", "gesture", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "wrote gesture.c, gesture.h and report.html" in result.stderr
    assert {p.name for p in (tmp_path / "out").glob("*.[ch]")} == {"gesture.c", "gesture.h"}


def test_compile_refuses_a_name_before_it_works(tmp_path, model):
    line = refused("compile", model, "--name", "switch", "-o", tmp_path / "out")
    assert line.startswith("name 'switch': it is a keyword of C or C++; choose a name such as")
    assert not (tmp_path / "out").exists()


# ---- Silence -------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["-q", "--quiet"])
def test_quiet_leaves_results_warnings_and_errors(tmp_path, model, data, option):
    loud = tinyflash("compile", model, "-o", tmp_path / "loud")
    quiet = tinyflash("compile", model, option, "-o", tmp_path / "quiet")
    assert loud.stdout == quiet.stdout
    assert "wrote" in loud.stderr and not quiet.stderr
    trained = tinyflash("train", model, "--data", data, option, "-o", tmp_path)
    assert trained.exit_code == 0
    assert all(line.startswith("warning: ") for line in trained.stderr.splitlines())
    assert "held-out accuracy after" in trained.stdout
    assert "int8" not in refused("compile", tmp_path / "none.tflite", option, "-o", tmp_path)
    refused("compile", model, option, "--budget", "nothing")
    assert not QUIET.get()  # of those commands alone


@pytest.mark.parametrize(
    "command", [name for name in COMMANDS if name not in ("bench", "data", "packs")]
)
def test_every_command_can_be_quiet(command):
    assert "--quiet" in tinyflash(command, "--help").stdout


# ---- Completion ----------------------------------------------------------------------------------


def completed(*words):
    """What a shell gets for the last word."""
    script = "import sys; sys.argv[0] = 'tinyflash'; from tinyflash.cli import main; main()"
    environment = {
        "_TINYFLASH_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("tinyflash", *words)),
        "COMP_CWORD": str(len(words)),
        "PYTHONPATH": str(source_root() / "python"),
    }
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


BOARDS = [f"plain,{board.name}" for board in EMULATED]
STM32 = [name for name in BOARDS if name.startswith("plain,qemu_s")]


@pytest.mark.parametrize(
    ("words", "choices"),
    [
        (["comp"], ["plain,compile"]),
        (["compile", "--bo"], ["plain,--board"]),
        (["compile", "--board", "qemu"], ["dir,qemu", *BOARDS]),
        (["compile", "--board", "../my"], ["dir,../my"]),
        (["train", "--port", "/dev/tty"], ["file,/dev/tty"]),
        (["train", "--board", "h"], ["dir,h", "plain,host"]),
        (["demo", "--board", "qemu"], ["dir,qemu", *BOARDS]),
        (["build", "build/mine", "--board", "qemu_s"], ["dir,qemu_s", *STM32]),
        (["coll"], ["plain,collect"]),
        (["wat"], ["plain,watch"]),
        (["data", "ho"], ["plain,horizon"]),
        (["data", "check", "se"], ["file,se"]),
        (["data", "horizon", "se"], ["file,se"]),
        (["collect", "--board", "qemu"], ["dir,qemu", *BOARDS]),
        (["boards", "--js"], ["plain,--json"]),
        (["compile", "mo"], ["file,mo"]),
        (["train", "m.tflite", "--data", "da"], ["file,da"]),
        (["compile", "m.tflite", "-o", "bu"], ["file,bu"]),
        (["quantize", "m.onnx", "-o", "mo"], ["file,mo"]),
    ],
)
def test_a_shell_completes(words, choices):
    assert completed(*words) == choices


def test_a_shell_completes_names_of_a_set(tmp_path):
    signal_set(tmp_path / "set")
    there = tmp_path / "set"
    assert tinyflash("data", "split", there, "--by", "subject").exit_code == 0
    horizon = ("data", "horizon", str(there))
    assert completed("data", "export", str(there), "--part", "t") == ["plain,train", "plain,test"]
    assert completed(*horizon, "--target", "event") == ["plain,event:low", "plain,event:high"]
    assert completed("collect", "-o", str(there), "--label", "l") == ["plain,low"]
    assert completed("collect", "--label", "l") == []
    assert completed("collect", "--features", "s") == ["plain,spectrogram"]
    (there / "dataset.toml").write_text("format = ")
    assert completed("collect", "-o", str(there), "--label", "l") == []


# ---- doctor, budget ------------------------------------------------------------------------------


def test_doctor_misses_a_package(monkeypatch):
    have = system._version
    monkeypatch.setattr(system, "_version", lambda p: None if p == "pyserial" else have(p))
    line = refused("doctor")
    assert line.startswith("pyserial missing; run: ")
    assert line.endswith("-m pip install pyserial")


def test_all_channels_are_not_one_channel():
    assert "and all of their input channels" in in_words(3, 1.0)
    assert "and all of its input channels" in in_words(1, 1.0)
    assert "0.5 of their input channels" in in_words(2, 0.5)
