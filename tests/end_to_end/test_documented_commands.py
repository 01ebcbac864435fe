"""Every command of every page is executed as it is typed, here or by a test that is named here."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from tests.support.firmware import own_board
from tests.support.floatfiles import floated
from tests.support.onnxmodels import plain
from tests.support.pages import PAGES, ROOT, commands, mentions

from tinyflash.cli import main

SCHEME = "head = 3\n[[update]]\nlast = 2\nbias = true\nweights = 0.5\n"
# Commands that take too long, or need the whole checkout: the test that executes them in small.
ELSEWHERE = {
    "demo": "test_the_whole_road_in_small",
    "bench accuracy": "test_the_command",
    "bench memory": "test_rows",
    "bench kernels": "test_the_command",
    "bench network": "test_counts_repeat",
    "bench anomaly": "test_the_area_and_the_table",
    "bench live": "test_old_wearers_are_less_forgotten_with_a_buffer",
    "bench quantize": "test_every_quantizer_is_judged_against_float",
    "bench choose": "test_probes_find_the_layer_that_matters",
    "bench design": "test_spaces_are_ranked_by_their_best_network",
    "bench store": "test_the_command_writes_its_counts",
    "bench endurance": "test_board_and_host_agree",
    "design": "test_the_same_seed_finds_the_same_network",
    "boards add": "test_the_command_makes_a_board_that_a_build_refuses_until_it_is_whole",
    "choose": "test_a_scheme_by_probes_fits",
    "compile candidates": "test_it_writes_models_and_sizes",
    "collect": "test_an_emulated_board_replays_a_recording_of_a_set",
    "data": "test_training_with_a_set_is_training_with_its_windows",
    "flash by a probe": "test_a_board_is_erased_written_read_back_and_reset",
    "packs": "test_on_the_command_line",
    "train by keys": "test_keys_and_buttons_teach_an_emulated_board",
    "train what is normal": "test_a_board_knows_its_threshold_after_a_power_cut",
    "test": "test_test_goes_to_pytest_in_the_checkout",
    "check": "test_the_scripts_parse",
    "coverage": "test_the_scripts_parse",
    "tests.fuzz": "test_nothing_but_refusals_comes_out",
}
# docs/adding-a-board.md adds this board; here one that exists takes its place.
IMAGINED = {"qemu_mps2_an386": "qemu_mps2_an500", "~/boards/mine": "boards/mine"}
PORT = "/dev/ttyACM0"  # an emulator takes its place
FILES = (
    "model.tflite scheme.toml data.npz test.npz x.npy model.onnx float.tflite build/mine "
    "build/mine/learned.npz"
)


def name_of(command):
    """What is called: `bench memory` for './run bench memory --json x'."""
    words = command.words
    words = words[2:] if words[:2] == ["python", "-m"] else words[1:]
    if words[0] == "flash" and "stm32f446_nucleo" in words and "--format" not in words:
        return "flash by a probe"
    if words[0] == "train" and "--normal" in words:
        return "train what is normal"
    if words[0] == "compile" and "--candidate" in words:
        return "compile candidates"
    if words[0] == "train" and "--sensor" in words:
        return "train by keys"
    return " ".join(words[:2] if words[0] in ("bench", "boards") else words[:1])


TYPED = {command.text: command for path in PAGES for command in commands(path)}
HERE = [command for command in TYPED.values() if name_of(command) not in ELSEWHERE]


def tinyflash(folder, *words, **more):
    """A process of its own, in `folder`."""
    command = [sys.executable, "-m", "tinyflash", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, **more)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """A folder with all files that the pages speak of, under the names that they use."""
    folder = tmp_path_factory.mktemp("workshop")
    random = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = random.normal(0, 0.3, (60, 3, 12, 10)) + (y - 1.0)[:, None, None, None]
    x = x.astype(np.float32)
    (folder / "model.onnx").write_bytes(plain())
    np.save(folder / "x.npy", x)
    steps = [
        "quantize model.onnx --calibration x.npy -o model.tflite",
        "train model.tflite --scheme scheme.toml --data data.npz -o build/mine",
        "compile model.tflite --scheme scheme.toml --board qemu_stm32f405 -o build/mine",
        "build build/mine",
    ]
    own_board(folder / "boards", "mine")
    for name in ("scheme.toml", "s.toml"):
        (folder / name).write_text(SCHEME)
    for name in ("data.npz", "test.npz"):
        np.savez(folder / name, x=x.transpose(0, 2, 3, 1), y=y)
    for step in steps:
        done = tinyflash(folder, *step.split())
        assert done.returncode == 0, done.stderr
    (folder / "float.tflite").write_bytes(floated(folder / "model.tflite"))
    shutil.copy(folder / "model.tflite", folder / "first.tflite")
    return folder


@pytest.fixture(scope="module")
def port(workshop):
    """Of the user's own board, which runs the model of the pages."""
    board = ("--board", "boards/mine")
    compile_ = ("compile", "model.tflite", "--scheme", "scheme.toml", *board, "-o", "running")
    for step in (compile_, ("build", "running", *board)):
        done = tinyflash(workshop, *step)
        assert done.returncode == 0, done.stderr
    command = [sys.executable, "-m", "tinyflash", "flash", "running", *board]
    with subprocess.Popen(command, cwd=workshop, stdout=subprocess.PIPE, text=True) as flash:
        try:
            yield next(w for w in flash.stdout.readline().split() if w.startswith("socket://"))
        finally:
            flash.kill()


@pytest.fixture
def place(workshop, request):
    """`workshop`, with samples as the command reads them: maps channels last after `quantize`. Its
    model is the one that `port` runs, whatever an earlier command has quantized."""
    shutil.copy(workshop / "first.tflite", workshop / "model.tflite")
    first = "quantize model.onnx" in request.node.callspec.id
    x = np.load(workshop / "data.npz")["x"]
    np.save(workshop / "x.npy", x.transpose(0, 3, 1, 2) if first else x)
    assert all((workshop / name).exists() for name in FILES.split())
    return workshop


def test_there_are_commands():
    assert len(TYPED) > 20
    assert {Path(c.page).name for c in TYPED.values()} >= {"README.md", "manual.md", "tutorial.md"}


@pytest.mark.parametrize("command", HERE, ids=lambda command: command.text)
def test_a_documented_command_runs(command, place, request):
    words = [IMAGINED.get(word, word) for word in command.words]
    if PORT in words:
        words[words.index(PORT)] = request.getfixturevalue("port")
    known = words[0] in ("./run", "tinyflash")
    assert known, f"{command.where}: not known; add it to ELSEWHERE with the test that executes it"
    if words[1] in UNTIL_TOLD:
        return runs_until_told_to_end(place, words[1:])
    done = tinyflash(place, *words[1:])
    if words[1] != "doctor":  # it fails where something is missing, which is what it is for
        assert done.returncode == 0, f"{command.where}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return None


# Commands that serve until a signal, and what they say when they have begun to.
UNTIL_TOLD = {"flash": "socket://", "watch": "http://127.0.0.1:"}


def runs_until_told_to_end(folder, words):
    command = [sys.executable, "-m", "tinyflash", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=folder, **pipes) as serving:
        try:
            assert any(UNTIL_TOLD[words[0]] in line for line in serving.stdout)
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(30) == 0
        finally:
            serving.kill()


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_another_test_executes_it_does(name):
    texts = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert any(f"def {ELSEWHERE[name]}(" in text for text in texts)


def understood(command):
    """None, or what the command line says against a command that it does not execute."""
    group, words = main, command.words[1:]
    context = click.Context(main)
    while isinstance(group, click.Group):
        found = group.get_command(context, words[0]) if words else group
        if found is group or found is None:
            return None if found else f"no command {words[0]}"
        group, words = found, words[1:]
    try:
        group.make_context(group.name, list(words))
    except (click.MissingParameter, click.exceptions.Exit):
        return None  # a sentence may leave out files, and --help ends at once
    except click.ClickException as error:
        return error.format_message()
    return None


SAID = {c.text: c for path in PAGES for c in mentions(path)} | TYPED
OURS = [c for c in SAID.values() if c.words[0] in ("./run", "tinyflash") and c.words[1:]]
OURS = [c for c in OURS if c.words[1] not in ("test", "check", "coverage")]


@pytest.mark.parametrize("command", OURS, ids=lambda command: command.text)
def test_a_command_within_a_sentence_is_understood(command):
    if any(re.fullmatch(r"[A-Z]+|\.\.\.", word) for word in command.words[1:]):
        return  # a pattern
    assert understood(command) is None, command.where
