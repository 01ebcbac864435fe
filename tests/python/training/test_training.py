"""The training loop: rates, order, history; with a session that only takes notes."""

import numpy as np
import pytest

from tinyflash.errors import DataError
from tinyflash.runtime.schedule import Schedule
from tinyflash.runtime.session import Outcome
from tinyflash.training.loop import History, Recipe, Step, evaluate, train
from tinyflash.training.samples import Samples, split


class Notes:
    """A session that predicts the sign of the first element, and remembers what it was given."""

    def __init__(self):
        self.seen = []

    def infer(self, x):
        return np.array([-x[0], x[0]], np.int8)

    def set_schedule(self, schedule, done=0):
        self.schedule = schedule

    def train_step(self, x, label):
        self.seen.append((int(x[0]), label))
        return Outcome(int(x[0] > 0), 0.5)


SAMPLES = Samples(np.arange(-4, 6, dtype=np.int8)[:, None], np.array([0] * 5 + [1] * 5))


def test_cosine_falls_from_the_rate_to_almost_nothing():
    rates = [Recipe(rate=0.5).rate_at(step, 100) for step in range(100)]
    assert rates[0] == 0.5
    assert rates[50] == pytest.approx(0.25)
    assert 0 < rates[99] < 0.001
    assert rates == sorted(rates, reverse=True)


def test_step_divides_by_ten_twice():
    rates = {Recipe(rate=0.5, schedule="step").rate_at(step, 99) for step in range(99)}
    assert sorted(rates) == pytest.approx([0.005, 0.05, 0.5], rel=2**-14)


def test_constant_stays():
    assert {Recipe(rate=0.5, schedule="constant").rate_at(step, 7) for step in range(7)} == {0.5}


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"rate": 0.0},
        {"rate": float("nan")},
        {"rate": 101.0},
        {"schedule": "x"},
        {"warmup": -1},
    ],
)
def test_a_recipe_out_of_range_is_refused(wrong):
    with pytest.raises(DataError):
        Recipe(**wrong)


def test_each_epoch_sees_every_sample_once_in_an_order_of_the_seed():
    order = list(Recipe(epochs=3, seed=1).order(10))
    epochs = [order[i : i + 10] for i in (0, 10, 20)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert order == list(Recipe(epochs=3, seed=1).order(10))
    assert order != list(Recipe(epochs=3, seed=2).order(10))


def test_train_tells_each_step_and_keeps_it():
    session, heard = Notes(), []
    history = train(session, SAMPLES, Recipe(epochs=2, seed=3), heard.append)
    assert len(session.seen) == 20
    assert tuple(heard) == history.steps
    first = history.steps[0]
    assert session.seen[0] == (int(SAMPLES.x[first.sample, 0]), int(SAMPLES.y[first.sample]))
    assert session.schedule == Schedule("cosine", 0.03, 20)
    assert [step.rate for step in history.steps] == [
        Recipe(epochs=2).rate_at(step, 20) for step in range(20)
    ]
    assert first.loss == pytest.approx(np.log(2))
    wrong = {int(SAMPLES.x[step.sample, 0]) for step in history.steps if not step.correct}
    assert wrong == set()


def test_an_impossible_probability_has_a_finite_loss():
    session = Notes()
    session.train_step = lambda x, label: Outcome(0, 0.0)
    assert np.isfinite(train(session, SAMPLES, Recipe()).steps[0].loss)


def test_running_means_cover_the_window():
    steps = tuple(Step(i, 4, i, 0.1, float(i), i % 2 == 0) for i in range(4))
    losses, accuracies = History(steps).running(2)
    assert losses == [0.0, 0.5, 1.5, 2.5]
    assert accuracies == [100.0, 50.0, 50.0, 50.0]


def test_evaluate_counts_what_is_right_and_keeps_the_logits():
    told = []
    result = evaluate(
        Notes(), Samples(SAMPLES.x, np.array([0] * 5 + [1] * 4 + [0])), listen=told.append
    )
    assert result.score == pytest.approx(90.0)
    assert result.outputs.tolist()[0] == [4, -4]
    assert told == list(range(1, 11))


def test_split_holds_out_of_each_label_alike():
    kept, held_out = split(SAMPLES, 0.2, seed=0)
    assert (len(kept), len(held_out)) == (8, 2)
    assert sorted(held_out.y) == [0, 1]
    assert sorted([*kept.x[:, 0], *held_out.x[:, 0]]) == list(range(-4, 6))
    everything, nothing = split(SAMPLES, 0.0, seed=0)
    assert (len(everything), len(nothing)) == (10, 0)


def test_split_keeps_a_label_that_has_one_sample():
    kept, _ = split(Samples(np.zeros((3, 1), np.int8), np.array([0, 0, 1])), 0.5, seed=0)
    assert sorted(kept.y) == [0, 1]


def test_split_refuses_a_fraction_out_of_range():
    with pytest.raises(DataError, match="held-out fraction"):
        split(SAMPLES, 1.0, seed=0)
