"""`run`, the script that sets everything up: its syntax, and what it says when it cannot."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "run"
PACKAGE = tuple(
    f"python/tinyflash/{name}.py" for name in ("runtime/host/build", "sources", "boards/toolchain")
)
SHELLS = [shell for shell in ("sh", "dash", "bash") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("script", [RUN, ROOT / ".ci" / "run"], ids=["run", "ci"])
def test_the_scripts_parse(shell, script):
    if script != RUN and shell != "bash":
        pytest.skip("written for bash")
    subprocess.run([shell, "-n", script], check=True)


def test_the_scripts_are_executable():
    assert os.access(RUN, os.X_OK)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="no shellcheck")
def test_shellcheck_has_nothing_to_say():
    subprocess.run(["shellcheck", RUN, ROOT / ".ci" / "run"], check=True)


@pytest.fixture
def checkout(tmp_path):
    """What `run` looks at, copied, with a PATH that holds nothing but basic tools."""
    folder = tmp_path / "a checkout"  # with a space, as real ones have
    for name in ("requirements", "include", "lib"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("run", "pyproject.toml", "setup.py", *PACKAGE):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "cksum", "find", "sort", "cat", "tail", "env", "readlink"):
        (tools / name).symlink_to(shutil.which(name))
    return folder, tools


def run(checkout, *arguments):
    folder, tools = checkout
    return subprocess.run(
        [folder / "run", *arguments], env={"PATH": str(tools)}, capture_output=True, text=True
    )


def only_line(done):
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_without_python_it_says_so_in_one_line(checkout):
    assert "error: Python 3.11" in only_line(run(checkout, "boards"))


def test_a_python_that_is_too_old_is_not_taken(checkout):
    _, tools = checkout
    (tools / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tools / "python3").chmod(0o755)
    assert "error: Python 3.11" in only_line(run(checkout, "boards"))


def fake_environment(folder):
    """A .venv that claims to be complete, whose commands repeat what they are given."""
    commands = folder / ".venv" / "bin"
    commands.mkdir(parents=True)
    for name in ("tinyflash", "python", "scons"):
        script = '#!/bin/sh\necho "$0 in $PWD:"\nfor a in "$@"; do echo "[$a]"; done\n'
        (commands / name).write_text(script)
        (commands / name).chmod(0o755)


def stamp(checkout, *stages):
    """Marks stages as done, with the digest that `run` itself computes."""
    folder, _ = checkout
    text = (folder / "run").read_text()
    head = text[: text.index("sources=$(digest)")]
    (folder / "digest").write_text(head + "digest\n")
    done = subprocess.run(["sh", folder / "digest"], capture_output=True, text=True, check=True)
    for stage in stages:
        (folder / ".venv" / f"stamp-{stage}").write_text(done.stdout)


def test_any_other_word_goes_to_tinyflash_with_its_arguments(checkout):
    folder, _ = checkout
    fake_environment(folder)
    stamp(checkout, "package")
    done = run(checkout, "infer", "a b.tflite", "-o", "*")
    assert done.stdout.splitlines()[1:] == ["[infer]", "[a b.tflite]", "[-o]", "[*]"]


def test_the_help_names_what_only_a_checkout_has(checkout):
    folder, _ = checkout
    fake_environment(folder)
    stamp(checkout, "package")
    for option in ("-h", "--help"):
        lines = run(checkout, option).stdout.splitlines()
        assert lines[1] == "[--help]"
        assert "./run test" in lines[-1]
        assert "./run check" in lines[-1]


def test_test_goes_to_pytest_in_the_checkout(checkout):
    folder, _ = checkout
    fake_environment(folder)
    stamp(checkout, "package", "test")
    done = run(checkout, "test", "-k", "a b")
    assert done.stdout.splitlines()[0].endswith(f"in {folder}:")
    assert done.stdout.splitlines()[1:3] == ["[-m]", "[pytest]"]
    assert done.stdout.splitlines()[-2:] == ["[-k]", "[a b]"]


def test_a_change_of_the_sources_asks_for_a_new_set_up(checkout):
    """There is no Python here, so that a new set-up shows itself by failing."""
    folder, _ = checkout
    fake_environment(folder)
    stamp(checkout, "package")
    assert run(checkout, "boards").returncode == 0
    with (folder / "lib" / "executor.c").open("a") as file:
        file.write("/* changed */\n")
    assert "error: Python 3.11" in only_line(run(checkout, "boards"))
