"""A set as samples of a network: which windows a network wants, and of which part."""

from __future__ import annotations

from collections.abc import Sequence

from tinyflash.data.dataset import Dataset
from tinyflash.data.windows import Windows, cut
from tinyflash.errors import DataError


def window_for(dataset: Dataset, wanted: Sequence[int]) -> int:
    """Returns the window that fills a network's input, of shape `wanted` without the batch: 1 for
    pictures, else its only long axis. Raises DataError if none does."""
    shape = dataset.frames.shape
    sides = [side for side in wanted if side != 1]
    frame = [side for side in shape if side != 1]
    if sides == frame:
        return 1
    if len(sides) == len(frame) + 1 and sides[1:] == frame:
        return sides[0]
    raise DataError(
        f"a frame of {dataset.folder} has shape {list(shape)}; no window of frames fills the input "
        f"of the network, {list(wanted)}"
    )


def samples(dataset: Dataset, part: str | None, wanted: Sequence[int], hop: int | None) -> Windows:
    """Cuts a part of a set as a network reads it. hop: frames from one window to the next; None:
    half a window. Raises DataError if there is none."""
    window = window_for(dataset, wanted)
    recordings = dataset.part(part)
    found = cut(dataset, recordings, window, hop or max(1, window // 2))
    if not len(found.y):
        where = f"part {part!r}" if part else "all"
        raise DataError(
            f"{dataset.folder}, {where}: no window of {window} frames has a label for more than "
            f"half of them; record longer, or label more"
        )
    return found
