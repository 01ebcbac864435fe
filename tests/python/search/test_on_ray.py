"""The engine on a local Ray cluster of two nodes, where Ray is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.python.search.test_engine import TRIALS, context
from tests.support import searching

from tinyflash.search.engine import engine_on, evaluate
from tinyflash.search.engine.on_ray import RayPool

ray = pytest.importorskip("ray", reason="Ray is an extra, which is not in requirements/")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes.add_node(num_cpus=1)
    ray.init(address=nodes.address, log_to_driver=False)
    yield
    ray.shutdown()
    nodes.shutdown()


def test_the_same_verdicts(cluster: None, tmp_path: Path) -> None:
    with engine_on("ray", context(), tmp_path / "results.jsonl") as engine:
        assert len(engine.pool.actors) == 2  # type: ignore[attr-defined]
        assert engine.verdicts(TRIALS) == {t: evaluate(context(), t) for t in TRIALS}


def test_a_killed_actor_is_replaced(cluster: None, tmp_path: Path) -> None:
    items = [(str(i), i) for i in range(20)]
    with RayPool(searching.deadly_once, str(tmp_path), "ray", 2) as pool:
        found = dict(pair for batch in pool.run(items) for pair in batch)
    assert found == {k: searching.doubled(2, i) for k, i in items}
