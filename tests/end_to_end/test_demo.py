"""The demo: in small on two boards, from fetching to pictures; in full, but on the host alone."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from tinyflash import demo
from tinyflash.compiler import prepare
from tinyflash.demo import runs
from tinyflash.demo import task as tasks
from tinyflash.errors import InternalError
from tinyflash.runtime.host import HostSession
from tinyflash.scheme import scheme
from tinyflash.training.job import Job, make_ready
from tinyflash.training.run import run

KEYS = {
    "board",
    "accuracy_before",
    "accuracy_after",
    "accuracy_head_only",
    "sram_total_bytes",
    "sram_arena_bytes",
    "sram_trainable_bytes",
    "sram_stack_bytes",
    "flash_bytes",
    "instructions_infer",
    "instructions_step",
    "samples",
    "bit_exact",
}
SAMPLES = 6


@pytest.fixture(scope="module")
def task():
    return tasks.load_task(0)


@pytest.fixture
def small(task, monkeypatch):
    """The same task with few samples and one epoch."""
    graph, job = task
    some = np.linspace(0, len(job.train) - 1, SAMPLES).astype(np.int64)
    recipe = replace(job.recipe, epochs=1)
    few = Job(job.train.take(some), job.held_out.take(some), recipe)
    monkeypatch.setattr("tinyflash.demo.story.load_task", lambda seed: (graph, few))


def test_the_whole_road_in_small(small, board, tmp_path, capsys):
    report = demo.run(demo.Settings(board.name, 0, tmp_path))
    content = json.loads((tmp_path / "report.json").read_text())
    assert content.keys() >= KEYS
    assert content["board"] == board.name
    assert content["bit_exact"] is True
    assert content["samples"] == SAMPLES
    parts_of_sram = ("arena", "trainable", "static", "stack")
    assert sum(content[f"sram_{part}_bytes"] for part in parts_of_sram) == report.sram_total_bytes
    assert 0 < report.sram_stack_used_bytes < report.sram_stack_bytes
    assert report.sram_total_bytes <= 128 * 1024
    assert report.flash_bytes <= 512 * 1024
    multiply_adds, lanes = 7_489_664, 16  # of a vector with Helium
    assert report.instructions_step > report.instructions_infer > multiply_adds / lanes
    for written in ("learning_curve.png", "overview.png", "model/report.html"):
        assert (tmp_path / written).stat().st_size > 10_000
    terminal = (tmp_path / "terminal.svg").read_text().replace("&#160;", " ")
    assert f"{report.sram_trainable_bytes:,} B" in terminal
    table, said = capsys.readouterr()
    steps = re.findall(r"^(\d+):(\d\d) (\w+)", said, re.MULTILINE)
    assert [what for _, _, what in steps] == [
        *("fetching", "compiling", "counting", "repeating", "training", "drawing")
    ]
    times = [60 * int(minutes) + int(seconds) for minutes, seconds, _ in steps]
    assert times == sorted(times)
    assert f"{report.sram_total_bytes:,} B" in table
    assert "bit for bit" in table


def test_a_board_that_disagrees_is_reported(small, tmp_path, monkeypatch):
    """The comparison is no ornament: one changed byte, and the demo fails."""
    honest = runs.run_on_host

    def lying(*given):
        run = honest(*given)
        weights = run.learned.weights
        changed = replace(run.learned, weights=bytes([weights[0] ^ 1]) + weights[1:])
        return replace(run, learned=changed)

    monkeypatch.setattr("tinyflash.demo.story.run_on_host", lying)
    with pytest.raises(InternalError, match="disagree"):
        demo.run(demo.Settings(output=tmp_path))
    assert json.loads((tmp_path / "report.json").read_text())["bit_exact"] is False


def test_in_full_it_learns_the_task_and_the_classifier_alone_does_not(task):
    graph, job = task
    ready = make_ready(prepare(graph, scheme("person_faces")), job)
    trained = run(job, HostSession(ready.compiled.program), ready)
    assert trained.before.score == 50.0
    assert trained.after.score >= 94.0
    assert trained.after.score > runs.head_only_accuracy(graph, job, 0)
