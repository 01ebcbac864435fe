"""Workers on a Ray cluster: actors that take batches. Needs the extra `ray`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tinyflash.errors import TinyflashError
from tinyflash.search.engine.pool import ATTEMPTS, Keyed, Work

BATCH = 64
ADDRESSES = ("ray", "ray://")


@dataclass
class RayPool:
    """address: "ray" for a cluster that runs here, or one that is started; or ray://host:port."""

    work: Work
    shared: Any
    address: str
    count: int | None = None

    def __enter__(self) -> RayPool:
        if not self.address.startswith(ADDRESSES):
            raise TinyflashError(f"--on {self.address}: write local, ray, or ray://HOST:PORT")
        try:
            import ray
        except ImportError:
            raise TinyflashError(
                "--on ray needs Ray; run pip install ray, or leave --on out"
            ) from None
        self.ray = ray
        self.began = not ray.is_initialized()
        if self.began:
            address = None if self.address == "ray" else self.address
            try:
                ray.init(address=address, log_to_driver=False, logging_level="error")
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise TinyflashError(f"--on {self.address}: {str(error).splitlines()[0]}") from None
        self.placed = ray.put(self.shared)
        cores = int(ray.cluster_resources().get("CPU", 1))
        self.actors = [self._started() for _ in range(self.count or cores)]
        return self

    def __exit__(self, *_: object) -> None:
        for actor in self.actors:
            self.ray.kill(actor)
        if self.began:
            self.ray.shutdown()

    def _started(self) -> Any:
        return self.ray.remote(num_cpus=1)(_Actor).remote(self.work, self.placed)

    def run(self, items: Sequence[Keyed]) -> Iterator[list[Keyed]]:
        size = max(1, min(BATCH, len(items) // (4 * len(self.actors))))
        waiting = deque((list(items[i : i + size]), 0) for i in range(0, len(items), size))
        running: dict[Any, tuple[int, list[Keyed], int]] = {}
        free = list(range(len(self.actors)))
        while waiting or running:
            while waiting and free:
                index = free.pop()
                batch, attempts = waiting.popleft()
                running[self.actors[index].run.remote(batch)] = index, batch, attempts
            done, _ = self.ray.wait(list(running), num_returns=1)
            index, batch, attempts = running.pop(done[0])
            free.append(index)
            try:
                yield self.ray.get(done[0])
            except self.ray.exceptions.RayActorError:
                if attempts + 1 == ATTEMPTS:
                    raise TinyflashError(f"search: {ATTEMPTS} workers of Ray have died") from None
                waiting.append((batch, attempts + 1))
                self.actors[index] = self._started()
            except self.ray.exceptions.RayTaskError as error:
                raise error.cause from None


class _Actor:
    """A worker. It keeps what all items share."""

    def __init__(self, work: Work, shared: Any) -> None:
        self.work, self.shared = work, shared

    def run(self, items: list[Keyed]) -> list[Keyed]:
        return [(key, self.work(self.shared, item)) for key, item in items]
