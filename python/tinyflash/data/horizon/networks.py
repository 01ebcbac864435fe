"""Perceptrons and GRUs that foresee targets. Imports torch only when they are asked for.

Each network foresees all leads at once. Its weight decay and the number of epochs are chosen by one
part of the training units that it has not learned from; then it learns from all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflash.data.horizon.folds import Fold, Folds
from tinyflash.data.horizon.scores import Foreseer, windows
from tinyflash.data.horizon.series import Reals, Series
from tinyflash.errors import DataError
from tinyflash.paths import how_to_install

MLP, GRU = "mlp", "gru"
HIDDEN = 48  # units of a layer
_SAMPLES = 12_000  # that a network learns from, drawn from all
_BATCH = 256
_EPOCHS = 24
_PATIENCE = 5  # epochs without a better loss
_DECAYS = (1e-4, 1e-2)
_RATE = 3e-3
_STILL = 1e-6  # standard deviation of a channel that never changes
_STEPS = 50  # of a GRU: of longer histories, several frames are one step

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Samples:
    """x [n][history][channels], y [n][leads * outputs]."""

    x: Floats
    y: Floats


@dataclass(frozen=True)
class _Units:
    """What a network takes inputs and targets in: those of the samples that it learns from, so that
    nothing of a test is in it. shift, scale [channels]; level, height [q]."""

    shift: Floats
    scale: Floats
    level: Floats
    height: Floats

    @staticmethod
    def of(samples: _Samples, values: bool) -> _Units:
        """values: whether targets are values, not classes, which stay as they are."""
        x, y = samples.x.reshape(-1, samples.x.shape[2]), samples.y
        scale, height = x.std(0), y.std(0)
        return _Units(
            x.mean(0),
            np.where(scale > _STILL, scale, 1).astype(np.float32),
            y.mean(0) if values else np.zeros_like(height),
            np.where(values & (height > _STILL), height, 1).astype(np.float32),
        )

    def inputs(self, x: npt.NDArray[np.floating]) -> Floats:
        return ((x - self.shift) / self.scale).astype(np.float32)

    def samples(self, given: _Samples) -> _Samples:
        return _Samples(self.inputs(given.x), (given.y - self.level) / self.height)


class Networks:
    """kind: MLP or GRU. Raises DataError if torch is not there."""

    def __init__(self, series: Series, folds: Folds, kind: str, seed: int) -> None:
        try:
            import torch
        except ImportError:
            raise DataError(
                f"--predictor {kind} needs torch; run: {how_to_install('torch')}"
            ) from None
        self._torch: Any = torch
        self._series, self._folds, self._kind, self._seed = series, folds, kind, seed

    def fitted(self, modality: str, history: int) -> list[Foreseer]:
        """Returns for each fold what was learned from its training units."""
        with self._one_thread():
            return [self._fit(fold, modality, history) for fold in self._folds.folds]

    @contextmanager
    def _one_thread(self) -> Iterator[None]:
        """Networks as small as these wait longer for other threads than they compute."""
        before = self._torch.get_num_threads()
        self._torch.set_num_threads(1)
        try:
            yield
        finally:
            self._torch.set_num_threads(before)

    def _fit(self, fold: Fold, modality: str, history: int) -> Foreseer:
        held = fold.inner[0] if fold.inner else ()
        left = [u for u in fold.train if u not in held]
        everything = self._samples(fold.train, modality, history)
        units = _Units.of(everything, self._series.question.kind == "value")
        learned = units.samples(self._samples(left, modality, history))
        judged = units.samples(self._samples(held, modality, history)) if held else learned
        trials = []
        for decay in _DECAYS:
            loss, epochs = self._train(learned, decay, _EPOCHS, judged)[1:]
            trials.append((loss, decay, epochs))
        _, decay, epochs = min(trials)
        return self._foreseer(self._train(units.samples(everything), decay, epochs, None)[0], units)

    def _samples(self, units: Sequence[int], modality: str, history: int) -> _Samples:
        """Draws samples of these units, evenly from all of their moments."""
        stretches = [one for u in units for one in self._folds.units[u]]
        views = [windows(self._series, one, modality, history) for one in stretches]
        total = sum(len(view) for view in views)
        random = np.random.default_rng(self._seed)
        chosen = np.sort(random.permutation(total)[:_SAMPLES])
        x, y, first = [], [], 0
        for one, view in zip(stretches, views, strict=True):
            mine = chosen[(chosen >= first) & (chosen < first + len(view))] - first
            targets = self._series.targets(one, self._series.question.leads)
            x.append(view[mine].astype(np.float32))
            y.append(targets.reshape(len(targets), -1)[mine].astype(np.float32))
            first += len(view)
        return _Samples(np.concatenate(x), np.concatenate(y))

    def _train(
        self, samples: _Samples, decay: float, epochs: int, judged: _Samples | None
    ) -> tuple[Any, float, int]:
        """Returns a network, the lowest loss on judged samples, and after how many epochs."""
        torch = self._torch
        torch.manual_seed(self._seed)
        net = self._network(samples.x.shape[1:], samples.y.shape[1])
        rule = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=decay)
        x, y = torch.from_numpy(samples.x), torch.from_numpy(samples.y)
        weights = self._weights(samples.y)
        batches = -(-len(x) // _BATCH)
        paced = torch.optim.lr_scheduler.OneCycleLR(rule, _RATE, total_steps=_EPOCHS * batches)
        best, at = float("inf"), epochs
        for epoch in range(1, epochs + 1):
            net.train()
            order = torch.randperm(len(x))
            for part in order.split(_BATCH):
                rule.zero_grad()
                self._loss(net(x[part]), y[part], weights).backward()
                rule.step()
                paced.step()
            if judged is not None:
                loss = self._judge(net, judged, weights)
                if loss < best:
                    best, at = loss, epoch
                elif epoch >= at + _PATIENCE:
                    break
        return net, best, at

    def _judge(self, net: Any, judged: _Samples, weights: Any) -> float:
        torch = self._torch
        net.eval()
        with torch.no_grad():
            found = net(torch.from_numpy(judged.x))
            return float(self._loss(found, torch.from_numpy(judged.y), weights))

    def _weights(self, y: Floats) -> Any:
        """Of each class for each lead, [leads][outputs]: rare ones count as much as frequent
        ones."""
        outputs = self._series.outputs
        share = y.reshape(len(y), -1, outputs).mean(0)
        return self._torch.from_numpy(np.where(share > 0, 1 / np.maximum(share * outputs, 1e-6), 0))

    def _loss(self, found: Any, y: Any, weights: Any) -> Any:
        outputs = self._series.outputs
        if self._series.question.kind == "value":
            return ((found - y) ** 2).mean()
        logs = found.reshape(len(found), -1, outputs).log_softmax(2)
        return -(logs * y.reshape(logs.shape) * weights).sum(2).mean()

    def _foreseer(self, net: Any, units: _Units) -> Foreseer:
        torch = self._torch
        net.eval()

        def foresee(part: Reals) -> Floats:
            with torch.no_grad():
                found: Floats = net(torch.from_numpy(units.inputs(part))).numpy()
            return found * units.height + units.level

        return foresee

    def _network(self, given: tuple[int, ...], outputs: int) -> Any:
        """Returns a network for windows [history][channels], newest first."""
        torch, history = self._torch, given[0]
        if self._kind == MLP:
            return torch.nn.Sequential(
                torch.nn.Flatten(),
                torch.nn.Linear(history * given[1], HIDDEN),
                torch.nn.ReLU(),
                torch.nn.Linear(HIDDEN, HIDDEN),
                torch.nn.ReLU(),
                torch.nn.Linear(HIDDEN, outputs),
            )
        return _gru(torch, history, given[1], outputs)


def _gru(torch: Any, history: int, channels: int, outputs: int) -> Any:
    together = -(-history // _STEPS)
    steps = -(-history // together)

    class Recurrent(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.cell = torch.nn.GRU(together * channels, HIDDEN, batch_first=True)
            self.end = torch.nn.Linear(HIDDEN, outputs)

        def forward(self, x: Any) -> Any:
            """Reads x [n][history][channels], the newest first; fills up the oldest with 0."""
            x = torch.nn.functional.pad(x, (0, 0, 0, steps * together - history))
            x = x.flip(1).reshape(len(x), steps, together * channels)
            return self.end(self.cell(x)[0][:, -1])

    return Recurrent()
