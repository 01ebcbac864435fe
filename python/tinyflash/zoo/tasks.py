"""All tasks by name. Loading one fetches its data and its network, or takes them from the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tinyflash.errors import DataError
from tinyflash.zoo import foreign, pictures
from tinyflash.zoo.activity import activity
from tinyflash.zoo.digits import digits_task
from tinyflash.zoo.keywords import keywords
from tinyflash.zoo.task import Task

TASKS: Mapping[str, Callable[[], Task]] = {
    "faces": pictures.faces,
    "fashion": pictures.fashion_resnet,
    "fashion-person": pictures.fashion_person,
    "activity": activity,
    "digits": digits_task,
    "keywords": keywords,
}
FOREIGN: Mapping[str, Callable[[], Task]] = {  # far from what their networks know
    "watch": foreign.watch,
    "digits-resnet": foreign.digits_resnet,
}


def load_task(name: str) -> Task:
    """Loads one of TASKS or FOREIGN."""
    known = {**TASKS, **FOREIGN}
    if name not in known:
        raise DataError(f"no task {name!r}; choose one of {', '.join(known)}")
    return known[name]()
