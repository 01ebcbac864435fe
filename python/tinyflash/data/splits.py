"""Splits a set into parts. A recording is never in two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tinyflash.data.dataset import Dataset, Recording
from tinyflash.errors import DataError

TRAIN, VALIDATION, TEST = "train", "validation", "test"
BY = ("subject", "session", "random")


def split(dataset: Dataset, by: str, shares: Mapping[str, float], seed: int) -> Dataset:
    """Returns the set with its recordings in parts, by name of the part, of about these shares.

    by: what stays together: recordings of one subject, of one session of a subject, or each alone
    (random). Groups are drawn by the seed, and each goes to the part that lacks most frames of its
    share; so every part has a group while there are enough. Raises DataError if there are not.
    """
    groups = _groups(dataset, by)
    if len(groups) < len(shares):
        each = "recording" if by == "random" else by
        raise DataError(
            f"{dataset.folder} has {len(groups)} of its kind to split by ({each}); "
            f"{len(shares)} parts need at least {len(shares)}"
        )
    total = sum(shares.values())
    wanted = {part: share / total for part, share in shares.items() if share > 0}
    found: dict[str, list[Recording]] = {part: [] for part in wanted}
    frames = sum(one.count for one in dataset.recordings)
    for group in _drawn(groups, seed):
        lacks = {
            part: share - sum(one.count for one in found[part]) / max(frames, 1)
            for part, share in wanted.items()
        }
        found[_next_part(found, lacks)].extend(group)
    names = {part: tuple(sorted(one.name for one in there)) for part, there in found.items()}
    return replace(dataset, splits=names, split_by=by)


def _next_part(found: Mapping[str, list[Recording]], lacks: Mapping[str, float]) -> str:
    """Returns an empty part if there is one, else the one that lacks most."""
    empty = [part for part, there in found.items() if not there]
    return max(empty or list(found), key=lambda part: lacks[part])


def _groups(dataset: Dataset, by: str) -> list[list[Recording]]:
    keys: dict[tuple[str, ...], list[Recording]] = {}
    for one in dataset.recordings:
        if by == "subject":
            key: tuple[str, ...] = (one.subject,)
        elif by == "session":
            key = (one.subject, one.session)
        else:
            key = (one.name,)
        if by != "random" and not key[-1]:
            raise DataError(
                f"recording {one.name} has no {by}; split by random, or import it with --{by}"
            )
        keys.setdefault(key, []).append(one)
    return list(keys.values())


def _drawn(groups: list[list[Recording]], seed: int) -> list[list[Recording]]:
    order = np.random.default_rng(seed).permutation(len(groups))
    return [groups[index] for index in order]
