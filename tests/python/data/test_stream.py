"""Windows of a stream are those that are cut from the set afterwards."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

from tinyflash.data import shards, text
from tinyflash.data.collecting.stream import WindowStream
from tinyflash.data.dataset import Dataset, Frames
from tinyflash.data.journal import Journal
from tinyflash.data.windows import cut
from tinyflash.errors import DataError


@pytest.mark.parametrize(("window", "hop"), [(8, 4), (8, 8), (8, 3), (5, 12), (1, 1), (1, 7)])
def test_they_are_the_same(window: int, hop: int, tmp_path: Path) -> None:
    random = Random(window * 100 + hop)
    dataset = Dataset(tmp_path, Frames((2,), 10.0))
    stream, number, found = WindowStream(window, hop), 0, []
    values = np.random.default_rng(0).integers(-9, 9, (2000, 2)).astype(np.int16)
    path = tmp_path / "shards" / "r.000000.frames"
    with Journal(path, (2,), ("r", "", "", ""), 1) as journal:
        journal.label(0, "all")
        while number < 800:
            count = random.randint(1, 20)
            journal.frames(number, values[number : number + count], 0.0)
            found += stream.push(number, values[number : number + count])
            number += count + (random.randint(1, 30) if random.random() < 0.1 else 0)
    text.save(dataset)
    dataset = shards.adopted(dataset, path.name)
    wanted = cut(dataset, dataset.recordings, window, hop).x
    assert stream.count == len(found) == len(wanted) > 0
    assert np.array_equal(np.stack(found).reshape(wanted.shape), wanted)


def test_a_window_has_a_length() -> None:
    with pytest.raises(DataError, match="must be at least 1"):
        WindowStream(0, 1)
