"""Wheels that several data sets come from, each pinned once."""

from __future__ import annotations

from tinyflash.zoo.sources.fetch import Member
from tinyflash.zoo.sources.pypi import Wheel


def scikit_image(*members: Member) -> Wheel:
    """Pictures, most of them free; its README lists their licences."""
    return Wheel("scikit-image", "0.26.0", "3.11", ("manylinux_2_28_x86_64",), members)


def scikit_learn(*members: Member) -> Wheel:
    """Small data sets, and two photographs (CC BY)."""
    return Wheel("scikit-learn", "1.7.2", "3.11", ("manylinux2014_x86_64",), members)
