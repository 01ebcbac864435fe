"""A budget of SRAM chooses the largest scheme of a ladder that fits; schemes can be written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.commands import refused, tinyflash
from tests.support.models import SAME, File

from tinyflash.boards import Board, load_board
from tinyflash.boards.fits import measure
from tinyflash.cli.scheme_option import described
from tinyflash.compiler import compile_uncalibrated, prepare
from tinyflash.errors import SchemeError
from tinyflash.graph import Graph
from tinyflash.read import read
from tinyflash.scheme import Rule, Scheme, load_scheme, parse_scheme
from tinyflash.scheme.loss import Loss
from tinyflash.scheme.optimizer import Optimizer, Rates
from tinyflash.scheme.text import scheme_text
from tinyflash.search.budget import FRACTIONS, Choice, choose_scheme


def network() -> bytes:
    """Two inverted bottlenecks, a layer in groups, and a classifier."""
    file = File(9)
    y = file.conv(file.input((1, 12, 12, 3)), (3, 3), out=8, stride=(2, 2), padding=SAME)
    for _ in range(2):
        y = file.conv(y, (1, 1), out=24)
        y = file.depthwise(y, (3, 3))
        y = file.conv(y, (1, 1), out=8)
    y = file.conv(y, (3, 3), out=8, groups=2)
    return file.finish(file.dense(file.mean(y, [1, 2], 0.05, 0), 5))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(network())
    return path


@pytest.fixture(scope="module")
def graph(path: Path) -> Graph:
    return read(path)


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board("qemu_stm32f405")


def takes(graph: Graph, scheme: Scheme, board: Board) -> tuple[int, int]:
    """Bytes that a scheme trains, and takes in all."""
    raw = compile_uncalibrated(prepare(graph, scheme), kernels=board.kernels)
    assert raw.train is not None
    tensors = raw.train.graph.tensors.values()
    trained = sum(t.nbytes for t in tensors if t.kind == "trainable")
    return trained, measure(raw.program, board).sram_bytes


def rung(last: int, fraction: float) -> Scheme:
    """The ladder as its description has it."""
    rules = [Rule(last=last, weights=fraction, bias=True)]
    rules.append(Rule(last=last, operator="depthwise", weights=0.0))
    if fraction < 1:
        rules.append(Rule(layers=("conv2d_7",), weights=0.0))
    return Scheme(tuple(rules))


def test_the_largest_rung_that_fits_is_taken(graph: Graph, board: Board) -> None:
    every = [(0, takes(graph, Scheme(), board))]
    for fraction in FRACTIONS:
        every += [(n, takes(graph, rung(n, fraction), board)) for n in range(1, 9)]
    least = every[0][1][1]  # the classifier alone; kernels' scratch may leave less to another rung
    totals = sorted(total for _, (_, total) in every if total >= least)
    for budget in totals[0], totals[len(totals) // 3], totals[-4], totals[-1] + 1000:
        choice = choose_scheme(prepare(graph, Scheme()), board, budget)
        assert choice.sram_bytes <= budget
        fitting = [trained for _, (trained, total) in every if total <= budget]
        assert choice.trained_bytes == max(fitting)
        assert takes(graph, choice.scheme, board) == (choice.trained_bytes, choice.sram_bytes)


def test_few_rungs_are_compiled(graph: Graph, board: Board) -> None:
    tried: list[str] = []
    choose_scheme(prepare(graph, Scheme()), board, 1 << 20, tried=tried.append)
    assert len(tried) <= 6


def test_head_loss_and_optimizer_stay(graph: Graph, board: Board) -> None:
    base = Scheme(head=3, loss=Loss("cross_entropy", 0.1), optimizer=Optimizer(momentum=0.5))
    choice = choose_scheme(prepare(graph, base), board, 100_000)
    assert (choice.scheme.head, choice.scheme.loss) == (3, base.loss)
    assert choice.scheme.optimizer == base.optimizer
    assert choice.last


def test_what_cannot_be_chosen(graph: Graph, board: Board) -> None:
    few = r"1,000 bytes of SRAM is [\d,]+ too few to train only the classifier"
    with pytest.raises(SchemeError, match=few):
        choose_scheme(prepare(graph, Scheme()), board, 1000)
    with pytest.raises(SchemeError, match="rules, but --budget chooses them"):
        choose_scheme(prepare(graph, rung(1, 1.0)), board, 100_000)


# ---- The command line ----------------------------------------------------------------------------


def test_the_choice_is_told_and_written(tmp_path: Path, path: Path) -> None:
    where = ["--board", "qemu_stm32f405", "-o", tmp_path]
    result = tinyflash("compile", path, "--budget", "16KB", *where)
    assert result.exit_code == 0, result.output
    assert "Chosen for 16,384 bytes of SRAM on qemu_stm32f405" in result.stderr
    said = " ".join(result.stderr.split())
    assert "trying: only the classifier" in said
    assert "and all of its input channels" in said
    assert " 1 of " not in said
    text = (tmp_path / "scheme.toml").read_text()
    assert text.startswith("# Chosen for 16,384 bytes")
    first = (tmp_path / "model.c").read_bytes()
    result = tinyflash("compile", path, "--scheme", tmp_path / "scheme.toml", *where)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "model.c").read_bytes() == first
    assert load_scheme(tmp_path / "scheme.toml").rules


def test_an_edited_scheme_is_kept(tmp_path: Path, path: Path) -> None:
    """Each one, even if it is the --scheme that the choice starts from."""
    target = tmp_path / "scheme.toml"
    command = ("compile", path, "--board", "qemu_stm32f405", "-o", tmp_path, "--budget")
    target.write_text("head = 3\n")
    result = tinyflash(*command, "16KB", "--scheme", target)
    assert "the scheme.toml that was there is now" in result.stderr
    assert (tmp_path / "scheme.old.toml").read_text() == "head = 3\n"
    assert load_scheme(target).head == 3
    chosen = target.read_bytes()
    assert (
        "is now" not in tinyflash(*command, "16KB", "--scheme", tmp_path / "scheme.old.toml").stderr
    )
    assert target.read_bytes() == chosen
    target.write_bytes(chosen + b"# mine\n")
    assert "scheme.old2.toml" in tinyflash(*command, "16KB").stderr
    assert (tmp_path / "scheme.old.toml").read_text() == "head = 3\n"
    assert (tmp_path / "scheme.old2.toml").read_bytes() == chosen + b"# mine\n"


@pytest.mark.parametrize(
    ("last", "fraction", "what"),
    [
        (0, 0.0, "only the classifier."),
        (1, 0.0, "the classifier, and the biases of the last layer."),
        (3, 0.0, "the classifier, and the biases of the last 3 layers."),
        (1, 1.0, "the biases of the last layer and all of its input channels"),
        (3, 1.0, "the biases of the last 3 layers and all of their input channels"),
        (3, 0.25, "the biases of the last 3 layers and 0.25 of their input channels"),
    ],
)
def test_the_choice_in_words(board: Board, last: int, fraction: float, what: str) -> None:
    text = described(Choice(Scheme(), last, fraction, 100, 2000), 4096, board)
    assert what in text


def test_sizes_and_boards_that_will_not_do(tmp_path: Path, path: Path) -> None:
    board = ["--board", "qemu_stm32f405"]
    line = refused("compile", path, "--budget", "99KB", "-o", tmp_path)
    assert "name the board with --board" in line
    for size in ("", "many", "-1KB", "12TB", "1e3"):
        line = refused("compile", path, "--budget", size, *board, "-o", tmp_path)
        assert "is not a size; write 131072 or 128KB" in line


# ---- Writing schemes -----------------------------------------------------------------------------

ratios = st.floats(0, 1)
names = st.text(min_size=1, max_size=8)
rules = st.builds(
    Rule,
    layers=st.lists(names, max_size=2).map(tuple),
    last=st.none() | st.integers(0, 99),
    operator=st.none() | st.sampled_from(["conv2d", "depthwise", "fully_connected"]),
    weights=ratios,
    bias=st.none() | st.booleans(),
    rate=st.none() | st.floats(0.001, 1000),
)
optimizers = st.builds(
    Optimizer,
    momentum=st.floats(0, 0.999),
    weight_decay=ratios,
    accumulate=st.integers(1, 65535),
    master=st.booleans(),
    rounding=st.sampled_from(["stochastic", "nearest"]),
    saturation_limit=st.none() | ratios,
)
losses = st.builds(Loss, smoothing=st.floats(0, 0.99)) | st.sampled_from(
    [Loss("mean_squared_error"), Loss("binary_cross_entropy")]
)
schemes = st.builds(
    Scheme,
    rules=st.lists(rules, max_size=3).map(tuple),
    head=st.none() | st.integers(2, 65535),
    headroom=st.integers(0, 6),
    loss=losses,
    optimizer=optimizers,
    rates=st.builds(Rates, head=st.floats(0.001, 1000), bias=st.floats(0.001, 1000)),
)


@given(schemes, st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=20))
@settings(max_examples=200, deadline=None)
def test_a_scheme_that_was_written_is_read_as_it_was(scheme: Scheme, comment: str) -> None:
    assert parse_scheme(scheme_text(scheme, comment)) == scheme


def test_what_stands_at_its_default_is_not_written() -> None:
    assert scheme_text(Scheme()) == "\n"
    text = scheme_text(Scheme((Rule(last=2, bias=True),), head=4), "why")
    assert text == "# why\nhead = 4\n\n[[update]]\nlast = 2\nbias = true\n"


def test_layers_that_cannot_be_trained_bound_the_ladder(board: Board, tmp_path: Path) -> None:
    """The first layer computes more positions than sums of its gradients hold (SPEC 10.16)."""
    file = File(3)
    y = file.conv(file.input((1, 260, 260, 1)), (1, 1), out=1)
    y = file.conv(y, (3, 3), out=4, stride=(8, 8))
    (tmp_path / "net.tflite").write_bytes(file.finish(file.dense(file.mean(y, [1, 2], 0.05, 0), 3)))
    graph = read(tmp_path / "net.tflite")
    choice = choose_scheme(prepare(graph, Scheme()), board, 1 << 22)
    assert choice.last == 1
