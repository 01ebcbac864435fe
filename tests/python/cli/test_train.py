"""tinyflash train: it learns, keeps, goes on; and data that it refuses."""

import json

import numpy as np
import pytest
from tests.support.commands import refused, tinyflash
from tests.support.networks import conv_same

from tinyflash.scheme import load_scheme, parse_scheme


def train(model, scheme, data, out, *more):
    return "train", model, "--scheme", scheme, "--data", data, "-o", out, *more


def test_train_learns_and_keeps_what_it_learned(tmp_path, model, scheme, data):
    out, json_path = tmp_path / "out", tmp_path / "run.json"
    more = ("--rate", "0.05", "--epochs", "5", "--json", json_path)
    result = tinyflash(*train(model, scheme, data, out, *more))
    assert result.exit_code == 0, result.output
    course = json.loads((out / "training.json").read_text())
    assert json.loads(json_path.read_text()) == course
    assert course["accuracy_after"] > course["accuracy_before"]
    assert course["accuracy_after"] >= 90
    assert f"accuracy after: {course['accuracy_after']:.1f} %" in result.stdout
    assert len(course["losses"]) == 5 * 32
    assert (course["samples"], course["held_out"], course["validation"]) == (32, 8, 0.2)
    assert parse_scheme(course["scheme"]) == load_scheme(scheme)
    assert course["model"] == "model"
    with np.load(out / "learned.npz") as learned:
        assert set(learned) == {"version", "hash", "weights", "state"}
        assert course["hash"] == f"{int(learned['hash']):08x}"


def test_train_goes_on_from_what_was_learned(tmp_path, model, scheme, data):
    """The step counter counts on, and the accuracy begins where it ended."""
    first, second = tmp_path / "first", tmp_path / "second"
    tinyflash(*train(model, scheme, data, first, "--rate", "0.05"))
    more = ("--resume", first / "learned.npz", "--rate", "0.001", "--epochs", "1")
    assert tinyflash(*train(model, scheme, data, second, *more)).exit_code == 0
    before = json.loads((second / "training.json").read_text())["accuracy_before"]
    assert before == json.loads((first / "training.json").read_text())["accuracy_after"]
    with np.load(second / "learned.npz") as learned:
        assert int.from_bytes(learned["state"].tobytes()[4:8], "little") == 4 * 32


def test_a_run_for_programs(tmp_path, model, scheme, data):
    """On standard output nothing but the record, with and without --live; a command that fails
    before it trains prints none, not even that of an earlier run."""
    out = tmp_path / "out"
    live = ("--live", "--auto", "--rate", "0.05", "--json")
    for more in (("--epochs", "1", "--json"), ("--epochs", "1", "--json", "-"), live):
        result = tinyflash(*train(model, scheme, data, out, *more))
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout) == json.loads((out / "training.json").read_text())
        assert "accuracy" in result.stderr
    failed = tinyflash(*train(model, scheme, tmp_path / "none.npz", out, "--json"))
    assert (failed.exit_code, failed.stdout) == (1, "")
    kept = (out / "learned.npz").read_bytes()
    for name in ("learned.npz", "training.json", "judged.json", "report.html", "flash.bin"):
        own = refused(*train(model, scheme, data, out, "--json", out / name))
        assert (
            own == f"{out / name} is written by the run itself; choose another file name for --json"
        )
    assert (out / "learned.npz").read_bytes() == kept


def test_train_without_validation_uses_every_sample(tmp_path, model, scheme, data):
    out = tmp_path / "out"
    tinyflash(*train(model, scheme, data, out, "--validation", "0", "--epochs", "1"))
    course = json.loads((out / "training.json").read_text())
    assert len(course["losses"]) == 40
    assert course["accuracy_after"] is None


def test_a_file_of_test_samples_is_evaluated_after_each_epoch(tmp_path, model, scheme, data):
    """Every sample of --data is trained; the curve is in training.json and in the report, and its
    last figure is that of `evaluate`."""
    with np.load(data) as found:
        np.savez(tmp_path / "test.npz", x=found["x"][:12], y=found["y"][:12])
    out = tmp_path / "out"
    more = ("--test", tmp_path / "test.npz", "--epochs", "4", "--rate", "0.05")
    result = tinyflash(*train(model, scheme, data, out, *more))
    assert result.exit_code == 0, result.output
    course = json.loads((out / "training.json").read_text())
    assert (course["samples"], course["held_out"], course["validation"]) == (40, 12, 0)
    assert [step for step, _ in course["accuracy_course"]] == [0, 40, 80, 120, 160]
    scores = [score for _, score in course["accuracy_course"]]
    assert scores[0] == course["accuracy_before"]
    assert scores[-1] == course["accuracy_after"]
    told = ", ".join(f"{score:.1f} %" for score in scores[1:])
    assert f"held-out accuracy after each epoch: {told}" in result.stdout
    report = json.loads((out / "report.json").read_text())
    assert report["training"]["held_out"] == pytest.approx(np.array(course["accuracy_course"]))
    assert (out / "report.html").read_text().count('<circle class="dot"') == 5
    again = ("--scheme", scheme, "--data", tmp_path / "test.npz", "--learned", out, "--json")
    scored = json.loads(tinyflash("evaluate", model, *again).stdout)
    assert scored["accuracy"] == course["accuracy_after"]


def test_evaluating_between_epochs_changes_no_bit(tmp_path, model, scheme, data):
    learnt = []
    for out, more in (("a", ()), ("b", ("--test", data))):
        arguments = train(model, scheme, data, tmp_path / out, *more)
        if not more:
            arguments = (*arguments, "--validation", "0")
        assert tinyflash(*arguments).exit_code == 0
        learnt.append(np.load(tmp_path / out / "learned.npz"))
    assert all((learnt[0][key] == learnt[1][key]).all() for key in ("weights", "state"))


def test_test_samples_and_a_held_out_fraction_exclude_each_other(tmp_path, model, scheme, data):
    more = ("--test", data, "--validation", "0.2")
    line = refused(*train(model, scheme, data, tmp_path / "out", *more))
    assert line.startswith("--test gives the held-out samples")
    assert "leave out --validation" in line
    assert not (tmp_path / "out").exists()


def test_a_last_group_of_samples_is_applied(tmp_path, model, data):
    """32 samples of a group of 64 move the weights; another run begins a new group."""
    scheme = tmp_path / "groups.toml"
    scheme.write_text("head = 3\n[optimizer]\naccumulate = 64\n")
    out = tmp_path / "out"
    assert tinyflash(*train(model, scheme, data, out, "--epochs", "1")).exit_code == 0
    course = json.loads((out / "training.json").read_text())
    assert len(course["losses"]) == 32
    assert course["accuracy_after"] > course["accuracy_before"]
    more = ("--epochs", "1", "--resume", out / "learned.npz")
    assert tinyflash(*train(model, scheme, data, tmp_path / "on", *more)).exit_code == 0
    steps = []
    for folder in ("out", "on"):
        with np.load(tmp_path / folder / "learned.npz") as learnt:
            steps.append(int.from_bytes(learnt["state"].tobytes()[4:8], "little"))
    assert steps == [64, 128]


def test_a_guard_evaluates_between_groups_of_samples(tmp_path, model, data):
    """50 samples are no whole number of groups of 8, 56 are: 112 steps have two evaluations, and
    one at the start."""
    scheme = tmp_path / "groups.toml"
    scheme.write_text("head = 3\n[optimizer]\naccumulate = 8\n")
    more = ("--guard", "12", "--guard-every", "50", "--validation", "0", "--epochs", "4")
    assert tinyflash(*train(model, scheme, data, tmp_path / "out", *more)).exit_code == 0
    course = json.loads((tmp_path / "out" / "training.json").read_text())
    assert len(course["losses"]) == 112
    assert course["guard"]["evaluations"] == 3


def test_train_is_repeatable(tmp_path, model, scheme, data):
    for out in ("a", "b"):
        tinyflash(*train(model, scheme, data, tmp_path / out, "--seed", "7"))
    a, b = (np.load(tmp_path / out / "learned.npz") for out in ("a", "b"))
    assert (a["weights"] == b["weights"]).all()


def test_train_by_rows_learns_the_same(tmp_path, model, scheme, data):
    for out, more in (("a", ()), ("b", ("--rows",))):
        result = tinyflash(*train(model, scheme, data, tmp_path / out, *more))
        assert result.exit_code == 0, result.output
    a, b = (np.load(tmp_path / out / "learned.npz") for out in ("a", "b"))
    assert (a["weights"] == b["weights"]).all()
    assert a["hash"] != b["hash"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"y": np.full(40, 3)}, "3 classes"),
        ({"x": np.zeros((40, 8, 8))}, "shape"),
        ({"x": np.full((40, 8, 8, 3), np.nan)}, "finite"),
        ({"y": np.zeros(39, int)}, "40 samples and 39 labels"),
        ({"y": np.linspace(0, 1, 40)}, "whole numbers"),
    ],
)
def test_train_refuses_other_data(tmp_path, model, scheme, data, change, complaint):
    with np.load(data) as whole:
        np.savez(data, **{**whole, **change})
    out = tmp_path / "out"
    assert complaint in refused(*train(model, scheme, data, out))
    assert not out.exists()


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [("--rate", "nan", "rate"), ("--rate", "-1", "rate"), ("--validation", "1", "fraction")],
)
def test_train_refuses_numbers_out_of_range(
    tmp_path, model, scheme, data, option, value, complaint
):
    assert complaint in refused(*train(model, scheme, data, tmp_path / "out", option, value))


def test_a_warm_up_longer_than_the_run_is_refused_before_the_work(tmp_path, model, scheme, data):
    out = tmp_path / "out"
    more = ("--warmup", "96", "--budget", "64KB", "--board", "qemu_stm32f405")
    scheme.write_text("head = 3\n")
    line = refused(*train(model, scheme, data, out, *more))
    assert "must be shorter than the run, which has 96" in line
    assert not out.exists()


def test_train_refuses_what_another_model_learned(tmp_path, model, scheme, data):
    tinyflash(*train(model, scheme, data, tmp_path / "out", "--epochs", "1"))
    scheme.write_text(scheme.read_text().replace("0.5", "1.0"))
    more = ("--resume", tmp_path / "out" / "learned.npz")
    line = refused(*train(model, scheme, data, tmp_path / "other", *more))
    assert "belongs to another model" in line


def test_an_output_that_is_no_row_of_scores_needs_a_new_head(tmp_path):
    (tmp_path / "map.tflite").write_bytes(conv_same())
    np.savez(tmp_path / "d.npz", x=np.zeros((4, 10, 7, 3), np.int8), y=np.zeros(4, np.int64))
    line = refused("train", tmp_path / "map.tflite", "--data", tmp_path / "d.npz", "-o", tmp_path)
    assert "is not a row of class scores" in line
    assert "head =" in line


def test_train_towards_targets(tmp_path, model):
    """A regression of two numbers, which follow from how bright a picture is."""
    random = np.random.default_rng(1)
    light = random.uniform(-1, 1, (40, 1))
    x = random.normal(0, 0.3, (40, 8, 8, 3)) + light[:, :, None, None]
    np.savez(tmp_path / "d.npz", x=x, y=np.hstack([light, -light]))
    scheme = tmp_path / "s.toml"
    scheme.write_text("head = 2\nloss = 'mean_squared_error'\n[[update]]\nlast = 1\nbias = true\n")
    data, out = tmp_path / "d.npz", tmp_path / "out"
    result = tinyflash(*train(model, scheme, data, out, "--rate", "0.001", "--epochs", "8"))
    assert result.exit_code == 0, result.output
    course = json.loads((out / "training.json").read_text())
    assert course["loss_after"] < 0.5 * course["loss_before"]
    assert f"held-out loss after: {course['loss_after']:.4g}" in result.stdout
    assert len(course["losses"]) == 8 * 32
    assert "accuracy_after" not in course
    assert "correct" not in course
    assert course["guard"] is None
    assert len(course["health"]["exponents"]) == len(course["health"]["steps"])
    line = refused(*train(model, scheme, data, out, "--guard", "4"))
    assert "the model learns from targets; train it without a guard" in line


def test_train_refuses_labels_where_it_takes_targets(tmp_path, model, data):
    scheme = tmp_path / "s.toml"
    scheme.write_text("loss = 'binary_cross_entropy'\n")
    assert "the network has 5 outputs" in refused(*train(model, scheme, data, tmp_path / "out"))


def test_train_under_a_guard(tmp_path, model, scheme, data):
    """Its samples are not trained on; it says what it saw."""
    out = tmp_path / "out"
    more = ("--guard", "6", "--guard-every", "5", "--guard-tolerance", "0", "--rate", "0.05")
    result = tinyflash(*train(model, scheme, data, out, *more, "--validation", "0"))
    assert result.exit_code == 0, result.output
    course = json.loads((out / "training.json").read_text())
    assert len(course["losses"]) == 3 * (40 - 6)
    guard = course["guard"]
    assert guard["samples"] == 6
    assert guard["evaluations"] == 1 + 102 // 5 + 1
    assert guard["last"] == guard["best"]
    assert f"guard: {guard['best']['correct']} of 6 held-out samples correct" in result.stdout


def test_a_guard_of_too_many_samples_is_refused(tmp_path, model, scheme, data):
    line = refused(*train(model, scheme, data, tmp_path / "out", "--guard", "32"))
    assert "32 of 32 samples cannot be held out: too few left; hold out fewer" in line


def test_train_draws_its_health_and_warns_of_a_wild_rate(tmp_path, model, scheme, data):
    out, picture = tmp_path / "out", tmp_path / "health.png"
    result = tinyflash(*train(model, scheme, data, out, "--rate", "90", "--health", picture))
    assert result.exit_code == 0, result.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "warning: " in result.stdout
    assert "lower the rate" in result.stdout
    health = json.loads((out / "training.json").read_text())["health"]
    assert health["steps"] == list(range(3 * 32 + 1))
    assert len(health["exponents"]) == 97
    assert len(health["exponents"][0]) == len(health["gradients"])
    assert max(health["weights_saturated_ppm"]) > 1000
    calm = tinyflash(*train(model, scheme, data, out, "--rate", "0.01"))
    assert "warning" not in calm.stdout


def test_train_asks_for_a_wider_head_where_it_is_narrow(tmp_path, model, data):
    """And not where its advice is taken."""
    said = []
    for reach in (0.01, 0.5):
        scheme = tmp_path / f"{reach}.toml"
        scheme.write_text(f"head = 2\nhead_range = {reach}\n")
        command = train(model, scheme, data, tmp_path / "out", "--rate", "0.01")
        said.append(tinyflash(*command).stdout)
    narrow, wide = said
    assert "of the new classifier's weights are at their ends, +-0.01: " in narrow
    assert "set head_range = 0.02 in the scheme" in narrow
    assert "warning" not in wide
