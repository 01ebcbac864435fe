"""What a live run says at its end."""

from __future__ import annotations

import click

from tinyflash.show.words import counted
from tinyflash.training.health import Anatomy, complaints
from tinyflash.training.live.course import SLIDING
from tinyflash.training.live.replaying import Lived
from tinyflash.training.open import Ready


def say_lived(lived: Lived, ready: Ready) -> None:
    """Prints the results, and warnings."""
    course = lived.course
    overall, last = course.accuracy(), course.accuracy(SLIDING)
    click.echo(
        f"prequential accuracy: {overall:.1f} % of {counted(len(course.seen), 'window')}, "
        f"{last:.1f} % of the last {min(SLIDING, len(course.seen))}"
    )
    click.echo(
        f"learned from {course.learned:,} windows; {counted(course.surprising, 'label')} surprised"
    )
    for moment, found in (("before", lived.before), ("after", lived.after)):
        if found is not None:
            click.echo(f"test accuracy {moment}: {found:.1f} %")
    for number in course.drifts:
        click.echo(f"drift: more errors than before, found by DDM at window {number + 1:,}")
    if lived.guard is not None:
        click.echo(
            f"guard: {lived.guard.best.correct} of "
            f"{counted(lived.guard.samples, 'held-out sample')} correct; "
            f"{counted(lived.guard.evaluations, 'evaluation')}, "
            f"{counted(lived.guard.rollbacks, 'return')} to the best weights"
        )
    anatomy, weights = Anatomy.of(ready.compiled), lived.ending.weights
    for line in complaints(lived.counters, anatomy, weights):
        click.echo(f"warning: {line}")
