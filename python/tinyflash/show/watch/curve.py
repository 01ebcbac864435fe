"""A learning curve of bounded size, for a run of any length."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tinyflash.show.plots import WINDOW

MOST = 600  # points


class Curve:
    """Means of loss and accuracy over the last WINDOW steps. A point in every `stride` steps; when
    there are too many points, every other one goes."""

    def __init__(self) -> None:
        self.loss = self.accuracy = 0.0
        self.has_labels = True
        self._losses: deque[float] = deque(maxlen=WINDOW)
        self._correct: deque[float] = deque(maxlen=WINDOW)
        self._points: list[tuple[int, float, float]] = []
        self._stride = 1

    def add(self, done: int, loss: float, correct: bool | None) -> bool:
        """Adds a step, which makes `done`. Returns whether the points have changed."""
        self._losses.append(loss)
        self._correct.append(100.0 * bool(correct))
        self.has_labels = correct is not None
        self.loss = sum(self._losses) / len(self._losses)
        self.accuracy = sum(self._correct) / len(self._correct)
        if done % self._stride or len(self._losses) < min(WINDOW, done):
            return False
        self._points.append((done, float(f"{self.loss:.5g}"), float(f"{self.accuracy:.4g}")))
        if len(self._points) > MOST:
            del self._points[::2]
            self._stride *= 2
        return True

    def fields(self) -> dict[str, Sequence[float] | None]:
        """Returns the points, by column. accuracy: None without labels."""
        return {
            "steps": [step for step, _, _ in self._points],
            "loss": [loss for _, loss, _ in self._points],
            "accuracy": [now for _, _, now in self._points] if self.has_labels else None,
        }
