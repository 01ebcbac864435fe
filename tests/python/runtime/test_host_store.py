"""The store of the library on a flash that fails: what it refuses, and in which order it writes."""

from __future__ import annotations

import zlib
from itertools import product

import pytest

from tinyflash.bench.store.cuts import Trial
from tinyflash.bench.store.device import Device, learned
from tinyflash.runtime.host.store import Faults, HostStore
from tinyflash.runtime.store import Geometry, Stored

TOO_SMALL, BROKEN = -9, -10  # TINY_ERROR_STORE, TINY_ERROR_FLASH
TRIAL = Trial(slots=3, page_bytes=8)


def opened(geometry: Geometry) -> HostStore:
    device = Device(geometry, TRIAL.weights_bytes)
    return HostStore(device.flash, device.session)


@pytest.mark.parametrize(
    ("geometry", "error"),
    [
        (Geometry(2, 128, 4), 0),
        (Geometry(1, 128, 4), TOO_SMALL),  # one slot
        (Geometry(3, 64, 4), TOO_SMALL),  # a slot has two sectors
        (Geometry(4, 64, 4), 0),
        (Geometry(2, 128, 2), TOO_SMALL),
        (Geometry(2, 1024, 512), TOO_SMALL),
        (Geometry(2, 240, 24), TOO_SMALL),  # no power of two
        (Geometry(2, 132, 8), TOO_SMALL),  # a page ends in the next sector
        (Geometry(8, 16, 4), TOO_SMALL),  # no room for a head
        (Geometry(4, 256, 256), 0),
    ],
)
def test_sizes(geometry: Geometry, error: int) -> None:
    assert opened(geometry).error == error


def test_a_flash_without_end_is_refused() -> None:
    device = Device(Geometry(2, 128, 4), 60)
    device.flash.native.flash.sectors = 2**30
    device.flash.native.flash.sector_bytes = 128
    assert HostStore(device.flash, device.session).error == TOO_SMALL


def test_slots_are_used_in_turn() -> None:
    device = TRIAL.device()
    store = HostStore(device.flash, device.session)
    slots = []
    for _ in range(7):
        assert store.save() == 0
        slots.append(store.slot)
    assert slots == [0, 1, 2, 0, 1, 2, 0]
    assert store.sequence == 7


def test_numbers_wrap() -> None:
    device = TRIAL.device()
    for kept, number in enumerate((2**32 - 1, 2**32, 2**32 + 1)):
        assert device.save(learned(device, kept), number=number).succeeded
        assert device.load() == learned(device, kept)


def with_numbers(device: Device, slot_bytes: int, numbers: dict[int, int]) -> bytes:
    """The flash with other numbers in the heads of slots, whose CRCs are right."""
    cells = bytearray(device.cells)
    for slot, number in numbers.items():
        at = slot * slot_bytes
        cells[at + 8 : at + 12] = (number % 2**32).to_bytes(4, "little")
        crc = zlib.crc32(cells[at : at + 28])
        cells[at + 28 : at + 32] = crc.to_bytes(4, "little")
    return bytes(cells)


@pytest.mark.parametrize("slots", [2, 3, 4])
@pytest.mark.parametrize("forged", ["whole", "data", "model"])
def test_a_save_is_the_newest_whatever_numbers_others_have(slots: int, forged: str) -> None:
    """Numbers that no store writes: 2^31 apart, neither of two is above the other; and three may
    each be above the next."""
    trial = Trial(slots=slots, page_bytes=8)
    device, other = trial.device(), trial.device("other")
    near = (0, 1, 2, 2**30, 2**31 - 2, 2**31 - 1, 2**31, 2**31 + 1, 2**31 + 2, -(2**30), -1)
    for kept, number in product(range(slots), near):
        device.cells = b"\xff" * len(device.cells)
        for saved in range(slots):
            writer = other if forged == "model" and saved != kept else device
            writer.cells = device.cells
            writer.save(learned(device, saved))
            device.cells = writer.cells
        numbers = {
            slot: 77 + number * (slot > kept) - number * (slot < kept) for slot in range(slots)
        }
        cells = bytearray(with_numbers(device, trial.slot_bytes, numbers))
        for slot in range(slots) if forged == "data" else ():
            cells[slot * trial.slot_bytes + 40] ^= slot != kept
        device.cells = bytes(cells)
        for again in range(3):
            assert device.save(learned(device, 50 + again)).succeeded
            assert device.load() == learned(device, 50 + again)


def test_a_cut_before_such_a_record_is_erased_leaves_the_new_one() -> None:
    device = TRIAL.device()
    for saved in range(3):
        device.save(learned(device, saved))
    before = with_numbers(device, TRIAL.slot_bytes, {0: 7, 1: 6, 2: 7 + 2**31})
    broken = bytearray(before)
    broken[2 * TRIAL.slot_bytes + 40] ^= 1  # its data: it is not the model's newest
    outcomes, words = [], 0
    while True:
        device.cells = bytes(broken)
        end = device.save(learned(device, 9), Faults(words_left=words))
        found = device.load()
        assert found == learned(device, 9) or not end.succeeded
        outcomes.append([learned(device, 0), learned(device, 9)].index(found))
        if end.succeeded:
            break
        words += 1
    assert outcomes == sorted(outcomes)  # never back to the old one
    assert outcomes.count(1) > 1  # of which all but the last were cut during the erasure


def test_a_record_of_another_model_stays_longest() -> None:
    other, device = TRIAL.device("other"), TRIAL.device()
    other.save(learned(other, 1))
    device.cells = other.cells
    store = HostStore(device.flash, device.session)
    assert store.stored is Stored.NOTHING
    for number in (2, 3):
        device.save(learned(device, number))
        other.cells = device.cells
        assert other.load() == learned(other, 1)
    device.save(learned(device, 4))
    other.cells = device.cells
    assert other.load() == other.initial


def test_what_was_saved_and_cannot_be_read_any_more() -> None:
    device = TRIAL.device()
    device.save(learned(device, 1))
    store = device.start()
    cells = bytearray(device.cells)
    cells[40] ^= 1  # in the data, after the store has looked
    device.cells = bytes(cells)
    assert store.load() == BROKEN
    assert device.now == device.initial
    assert device.load() == device.initial


def test_a_flash_that_fails() -> None:
    device = TRIAL.device()
    store = device.start(Faults(words_left=0))
    assert store.save() == store.factory() == BROKEN  # the power is off
    assert store.open() == BROKEN
    assert store.load() == 0  # nothing was saved: no flash is needed
    device.save(learned(device, 1))
    store = device.start(Faults(words_left=0))
    assert store.save() == BROKEN
    assert store.load() == BROKEN
    assert device.now == device.initial


def test_a_full_store_with_one_bad_slot_keeps_the_newest() -> None:
    """A save that no slot keeps leaves the record of before."""
    trial = Trial(slots=2, page_bytes=4)
    device = trial.device()
    device.save(learned(device, 1))
    stuck = Faults(stuck_at=trial.slot_bytes + 8, stuck_mask=1 << 20, stuck_bits=1 << 20)
    assert not device.save(learned(device, 2), stuck).succeeded
    assert device.load(stuck) == learned(device, 1)
    assert device.save(learned(device, 3)).succeeded
    assert device.load() == learned(device, 3)
