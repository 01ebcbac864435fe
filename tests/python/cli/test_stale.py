"""compile, build, train and flash into one folder, in any order: nothing stale runs, nothing that
was learned is lost, and what does not belong together is said."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash

from tinyflash.boards import firmware, stale
from tinyflash.boards.firmware import FirmwareSize
from tinyflash.boards.named import model_files
from tinyflash.cli import firmware as commands
from tinyflash.cli import flash as flashing
from tinyflash.runtime.learned import learned_hash

BOARDS = ("qemu_stm32f405", "qemu_mps2_an500")
SCHEMES = (
    "head = 3\n[[update]]\nlast = 1\nbias = true\n",
    "head = 3\n[[update]]\nlast = 1\nbias = true\nweights = 0.5\n",
)


@pytest.fixture(autouse=True)
def tools(monkeypatch):
    """In place of compiler and emulator: an image names its board and its model.c. Returns the
    images that were run."""
    ran, scons, firmware_board = [], firmware._run_scons, firmware.firmware_board

    def build(target, settings):
        if target == "objects":  # to measure
            return scons(target, settings)
        folder = Path(settings["BUILD"])
        folder.mkdir(parents=True)
        table = (Path(settings["MODEL"]) / f"{settings['NAME']}.c").read_bytes()
        image = {"board": settings["BOARD"], "model": hashlib.sha256(table).hexdigest()}
        (folder / "firmware.elf").write_text(json.dumps(image))
        (folder / "firmware.map").write_text("")
        return None

    def board_of(image):
        if not image.is_file():
            return firmware_board(image)  # which refuses it
        return json.loads(image.read_text())["board"]

    class Emulator:
        url, why_dead = "socket://", staticmethod(lambda: None)

        def __init__(self, board, elf, **_):
            ran.append((board.name, json.loads(elf.read_text())))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(firmware, "_run_scons", build)
    monkeypatch.setattr(firmware, "_check_tools", lambda _: None)
    monkeypatch.setattr(commands, "firmware_size", lambda _: FirmwareSize(1, 1, 1, 1, 0))
    monkeypatch.setattr(commands, "region_use", lambda _, board: {r.name: 1 for r in board.regions})
    monkeypatch.setattr(flashing, "pieces_of", lambda *_: [])
    monkeypatch.setattr(firmware, "firmware_board", board_of)
    monkeypatch.setattr(flashing, "firmware_board", board_of)
    monkeypatch.setattr(flashing, "Emulator", Emulator)
    return ran


@pytest.fixture
def do(model, data, tmp_path, tools):
    """Runs a command in a folder: with one of two schemes, for one of two boards."""
    schemes = [tmp_path / "a.toml", tmp_path / "b.toml"]
    for path, text in zip(schemes, SCHEMES, strict=True):
        path.write_text(text)
    out = tmp_path / "out"

    def run(name, which=0, board=None, *more):
        of = ("--scheme", schemes[which])
        on = () if board is None else ("--board", board)
        return {
            "compile": lambda: tinyflash("compile", model, *of, *on, "-o", out, *more),
            "train": lambda: tinyflash(
                *("train", model, *of, "--data", data, "-o", out, "--epochs", "1"), *more
            ),
            "build": lambda: tinyflash("build", out, *on, *more),
            "flash": lambda: tinyflash("flash", out, "--exit-after", "0", *on),
        }[name]()

    return run


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hashes(out, name="model"):
    """Of what a folder holds, by file."""
    found = {file: stale.file_hash(out / file) for file in model_files(name)}
    found |= {"report.json": stale.report_of(out).get("hash")}
    found |= {"learned.npz": learned_hash(out / "learned.npz")}
    if (out / "training.json").is_file():
        found["training.json"] = json.loads((out / "training.json").read_text())["hash"]
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("model_name", ["model", "gesture"])
@pytest.mark.parametrize("seed", range(6))
def test_in_any_order(do, tmp_path, tools, seed, model_name):
    """A folder of a named model, which is compiled first, keeps the name."""
    random, out, board = Random(seed), tmp_path / "out", None
    for step in range(12):
        name = random.choice(("compile", "build", "flash", "train"))
        if step == 0 and model_name != "model":
            name = "compile"
        which, chosen = random.randrange(2), random.choice((*BOARDS, None))
        ran, learned = len(tools), learned_hash(out / "learned.npz")
        done = do(name, which, chosen, *(("--name", model_name) if name == "compile" else ()))
        said = done.stderr
        assert done.exit_code in (0, 1)
        assert done.exit_code == 0 or said.splitlines()[-1].startswith("error: ")
        if name == "compile":
            board = chosen
        elif name == "build" and done.exit_code == 0:
            board = chosen or board
        elif name == "flash" and done.exit_code == 0:
            on, image = tools[ran]
            assert on == image["board"] == (chosen or board or image["board"])
            assert image["model"] == sha(out / f"{model_name}.c")
        elif name == "flash":
            assert any(why in said for why in ("is stale", "is missing", "built for board"))
        elif name == "train":
            assert done.exit_code == 0, said
            assert len(set(hashes(out, model_name).values())) == 1
            if learned not in (None, learned_hash(out / "learned.npz")):
                kept = [learned_hash(path) for path in out.glob("learned.old*.npz")]
                assert learned in kept
            if stale.report_of(out).get("board") is None:
                board = None
        found = hashes(out, model_name)
        assert len({found[n] for n in found if n.startswith((model_name, "report"))}) <= 1
        assert {path.stem for path in out.glob("*.[ch]")} <= {model_name}
        if name in ("compile", "build") and done.exit_code == 0 and "learned.npz" in found:
            is_other = found["learned.npz"] != found[f"{model_name}.h"]
            assert ("learned.npz is stale" in said) == is_other


def test_flash_says_what_is_stale(do, tmp_path, tools):
    out = tmp_path / "out"
    do("compile", 0, BOARDS[0])
    assert do("build").exit_code == 0
    first = stale.file_hash(out / "model.h")
    result = do("compile", 1, BOARDS[0])
    second = stale.file_hash(out / "model.h")
    line = f"{out / 'firmware.elf'} is stale: it was built from model {first}, and {out} now has "
    assert f"note: {line}model {second}; run: tinyflash build {out}" in result.stderr
    assert line in refused("flash", out)
    assert line in refused("flash", out, "--board", BOARDS[0])
    assert tools == []
    do("compile", 0, BOARDS[0], "--seed", "7")
    assert "from another version of this model" in refused("flash", out)
    do("compile", 0, BOARDS[0])
    assert do("flash").exit_code == 0
    do("compile", 0, BOARDS[1])
    line = refused("flash", out)
    assert f"it is for board {BOARDS[0]}, and the folder has since been compiled for" in line
    assert do("flash", 0, BOARDS[0]).exit_code == 0  # as its user asks by name
    do("compile", 0)  # for no board: its table names other kernels
    assert "from another version of this model" in refused("flash", out)


def test_an_image_of_unknown_origin_is_judged_by_its_hash(do, tmp_path):
    """Built elsewhere and copied here, or by an earlier version."""
    out = tmp_path / "out"
    do("compile", 0, BOARDS[0])
    do("build")
    (out / "firmware.json").unlink()
    assert "is stale: it was built from another model" in refused("flash", out)
    image, model = (
        (out / "firmware.elf").read_text(),
        bytes.fromhex(stale.file_hash(out / "model.h")),
    )
    with (out / "firmware.elf").open("wb") as file:
        file.write(image.encode() + b" " * 9)
    (out / "firmware.json").write_text("[]")
    with pytest.raises(stale.BuildError, match="another model"):
        stale.check_image(out / "firmware.elf", None)
    (out / "firmware.elf").write_bytes(image.encode() + model[::-1])
    stale.check_image(out / "firmware.elf", None)
    for name in model_files("model"):
        (out / name).unlink()
    stale.check_image(out / "firmware.elf", None)  # nothing to compare it with


@pytest.mark.parametrize("name", ["model.c", "model.h", "report.json"])
def test_build_refuses_files_of_two_compilations(do, tmp_path, name):
    """As where a compilation was broken off."""
    out = tmp_path / "out"
    do("compile", 0, BOARDS[0])
    old = (out / name).read_bytes()
    do("compile", 1, BOARDS[0])
    (out / name).write_bytes(old)
    line = refused("build", out)
    assert f"{out} has files of different models" in line
    assert f"{name} of" in line
    assert not (out / "firmware.elf").exists()


def test_train_on_the_host_leaves_no_mixture(do, tmp_path):
    out = tmp_path / "out"
    do("compile", 0, BOARDS[0])
    do("build")
    do("train", 0)
    assert stale.report_of(out)["board"] == BOARDS[0]  # the same model: nothing is stale
    assert do("flash").exit_code == 0
    first = learned_hash(out / "learned.npz")
    weights, course = ((out / name).read_bytes() for name in ("learned.npz", "training.json"))
    result = do("train", 1)
    assert f"was compiled for model {first}; it now has model" in result.stderr
    assert f"learned.npz, of model {first}, is now learned.old.npz" in result.stderr
    assert (out / "learned.old.npz").read_bytes() == weights
    assert (out / "training.old.json").read_bytes() == course
    assert set(hashes(out).values()) == {learned_hash(out / "learned.npz")} != {first}
    assert not list(out.glob("firmware*"))
    do("train", 0)
    assert len(list(out.glob("learned.old*.npz"))) == 2
    assert not (tmp_path / "elsewhere").exists()


def test_train_alone_writes_its_compilation(do, tmp_path):
    do("train", 0)
    assert len(set(hashes(tmp_path / "out").values())) == 1
    do("train", 1)
    assert len(np.load(tmp_path / "out" / "learned.old.npz").files) == 4
    assert len(set(hashes(tmp_path / "out").values())) == 1


def test_the_report_for_a_board_stays_one_when_the_host_trains(do, tmp_path):
    """With the learning curve in addition; what was built from it runs."""
    out = tmp_path / "out"
    do("compile", 0, BOARDS[0])
    do("build")
    linked = stale.report_of(out)["linked"]
    do("train", 0)
    report = stale.report_of(out)
    assert (report["board"], report["linked"]) == (BOARDS[0], linked)
    assert report["training"] is not None
    assert do("flash").exit_code == 0
    assert do("build").exit_code == 0


def test_a_refused_run_changes_nothing(do, model, data, tmp_path):
    """What is there is kept until the training can begin."""
    out = tmp_path / "out"
    do("train", 0)
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert do("train", 1, None, "--rate", "nan").exit_code == 1
    assert do("train", 1, None, "--resume", out / "learned.npz").exit_code == 1
    assert {path: path.read_bytes() for path in out.iterdir()} == before


# ---- Several models ------------------------------------------------------------------------------


@pytest.fixture
def two(do, tmp_path):
    """A folder with two models; its report is that of the second one."""
    do("compile", 0, BOARDS[0], "--name", "gesture")
    do("compile", 1, BOARDS[0], "--name", "wake")
    return tmp_path / "out"


def test_an_image_is_that_of_one_of_several_models(do, two, tools):
    assert "holds the models gesture, wake; choose one with --name" in refused("build", two)
    assert "is that of the model wake; pass --board" in refused("build", two, "--name", "gesture")
    assert do("build", 0, BOARDS[0], "--name", "gesture").exit_code == 0
    assert stale.report_of(two)["linked"] is None  # it is the other model's
    assert do("flash").exit_code == 0
    assert tools[-1][1]["model"] == sha(two / "gesture.c")
    assert not do("compile", 0, BOARDS[1], "--name", "wake").stderr.count("stale")
    assert do("flash").exit_code == 0
    now = stale.file_hash(two / "wake.h")
    result = do("compile", 1, BOARDS[0], "--name", "gesture", "--quiet")
    line = f"now has model {stale.file_hash(two / 'gesture.h')}; run: tinyflash build {two} --name "
    assert line + "gesture" in result.stderr.replace("\n", " ")
    assert line + "gesture" in refused("flash", two)
    for file in model_files("gesture"):
        (two / file).unlink()
    assert f"and {two} now has model {now}; run: tinyflash build {two}" in refused("flash", two)
    assert do("build", 0, BOARDS[0]).exit_code == 0
    assert tools[-1][1]["model"] != sha(two / "wake.c")
    assert do("flash").exit_code == 0
    assert tools[-1][1]["model"] == sha(two / "wake.c")


def test_build_says_which_of_the_named_files_differ(do, two):
    old = (two / "wake.h").read_bytes()
    do("compile", 0, BOARDS[0], "--name", "wake")
    (two / "wake.h").write_bytes(old)
    line = refused("build", two, "--name", "wake")
    assert "wake.h of" in line
    assert f"run: tinyflash compile --name wake -o {two}" in line


@pytest.mark.parametrize("which", [0, 1])
def test_training_finds_its_model_among_several(do, two, which):
    """Neither file of a model changes; only the last one's report can have the learning curve of a
    board's model."""
    do("build", 0, BOARDS[0], "--name", "gesture")
    before = {path: path.read_bytes() for path in two.iterdir() if "report" not in path.name}
    result = do("train", which)
    assert result.exit_code == 0
    assert "stale" not in result.stderr and "was compiled for" not in result.stderr
    assert {path: path.read_bytes() for path in before} == before
    report = stale.report_of(two)
    assert report["name"] == ("gesture", "wake")[which]
    assert report["board"] == (None, BOARDS[0])[which]
    assert report["training"] is not None
    assert learned_hash(two / "learned.npz") == report["hash"]
    assert do("flash").exit_code == 0


def test_training_of_a_third_model_leaves_the_others(do, two):
    do("compile", 1, None, "--name", "gesture", "--seed", "3")
    before = {path: path.read_bytes() for path in two.glob("*.[ch]")}
    assert do("train", 0).exit_code == 0
    assert {path: path.read_bytes() for path in before} == before
    assert len(set(hashes(two).values())) == 1
    assert stale.models_text(stale.model_hashes(two)).startswith("models ")
