"""Restored bytes, on the device and from a file: both ends refuse the same (SPEC 1.4, 5.1, 6.5)."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from tests.support.firmware import build_for_host
from tests.support.graphs import Layer, Net
from tests.support.pipes import PipePort
from tests.support.random_graphs import random_graph

from tinyflash.compiler import Compiled, compile_model
from tinyflash.errors import DataError, LinkError
from tinyflash.program import Buffer, ConstArray, Program, Row, Space
from tinyflash.runtime import state
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.session import DeviceSession
from tinyflash.runtime.host import HostSession
from tinyflash.runtime.learned import Learned, int8_spans, load_learned, save_learned
from tinyflash.scheme import parse_scheme
from tinyflash.write.model import write_model


def bias_rows(program: Program) -> list[Row]:
    return [row for row in program.train if row.kernel == "bias_update"]


def with_bias(program: Program, row: Row, index: int, value: int) -> bytes:
    """WEIGHTS as compiled, with another number in a bias."""
    place = row.buffers[2]
    assert place is not None
    image = bytearray(program.weights)
    at = place.offset + 4 * index
    image[at : at + 4] = value.to_bytes(4, "little", signed=True)
    return bytes(image)


def limit_of(program: Program, row: Row) -> int:
    limit = program.records[row.record].fields["limit"]
    assert isinstance(limit, int)
    return limit


def test_the_device_refuses_biases_beyond_their_limit(
    guarded: DeviceSession, learner: Compiled
) -> None:
    program = learner.program
    x = np.zeros(program.input_bytes, np.int8)
    for row in bias_rows(program):
        limit = limit_of(program, row)
        for value in (limit, -limit, 0):
            guarded.weights = with_bias(program, row, 2, value)
            guarded.infer(x)
        for value in (limit + 1, -limit - 1, 2**31 - 1, -(2**31)):
            with pytest.raises(LinkError, match="refused"):
                guarded.weights = with_bias(program, row, 2, value)
            with pytest.raises(LinkError, match="partly written"):
                guarded.infer(x)
        guarded.weights = program.weights
    assert guarded.weights == program.weights


def test_a_file_with_biases_beyond_their_limit_is_refused(
    learner: Compiled, tmp_path: Path
) -> None:
    program, path = learner.program, tmp_path / "l.npz"
    for row in bias_rows(program):
        limit = limit_of(program, row)
        for value in (limit, -limit):
            weights = with_bias(program, row, 1, value)
            save_learned(path, Learned(program.hash, weights, program.state))
            assert load_learned(path, program).weights == weights
        for value in (limit + 1, -limit - 1, -(2**31)):
            weights = with_bias(program, row, 1, value)
            save_learned(path, Learned(program.hash, weights, program.state))
            with pytest.raises(DataError, match=rf"damaged: bias 1 of \w+ is {value}, its limit"):
                load_learned(path, program)


def test_a_bias_that_no_update_changes_stays_as_compiled(learner: Compiled, tmp_path: Path) -> None:
    """That of a dead channel; here, of one whose rate is taken away."""
    program, path = deepcopy(learner.program), tmp_path / "l.npz"
    row = bias_rows(program)[0]
    rate = program.records[row.record].fields["rate"]
    assert isinstance(rate, ConstArray)
    rate.values[1] = 0, 0
    save_learned(path, Learned(program.hash, with_bias(program, row, 1, 5), program.state))
    with pytest.raises(DataError, match="bias 1 of"):
        load_learned(path, program)
    save_learned(path, Learned(program.hash, program.weights, program.state))
    load_learned(path, program)


def test_rows_of_biases_are_told_by_their_buffers() -> None:
    """The firmware has no names of kernels: it looks at the third and fourth buffer."""
    found = 0
    for seed in range(8):
        graph, scheme = random_graph(seed)
        for row in compile_model(graph, scheme, seed=seed).program.train:
            third, fourth = (*row.buffers, None, None, None, None)[2:4]
            looks = third is not None and third.space == Space.WEIGHTS
            looks = looks and fourth == Buffer(Space.STATE, 0)
            assert looks == (row.kernel == "bias_update")
            found += looks
    assert found > 8


def test_the_device_keeps_biases_that_no_update_changes(
    tmp_path: Path, ports: list[PipePort]
) -> None:
    """Those of dead channels."""
    net = Net(np.random.default_rng(5))
    hidden = net.fully_connected(net.input((4,)), 6, Layer(dead=2))
    graph = net.graph(net.fully_connected(hidden, 3))
    scheme = "dead_channels = 'keep'\n[[update]]\nweights = 1\nbias = true"
    compiled = compile_model(graph, parse_scheme(scheme), seed=9)
    write_model(compiled, tmp_path)
    ports.append(PipePort(build_for_host(tmp_path, tmp_path / "firmware")))
    device, program = DeviceSession(Link(ports[-1])), compiled.program
    dead = 0
    for row in bias_rows(program):
        rate = program.records[row.record].fields["rate"]
        assert isinstance(rate, ConstArray)
        for channel in np.flatnonzero(rate.values[:, 0] == 0):
            with pytest.raises(LinkError, match="refused"):
                device.weights = with_bias(program, row, int(channel), 5)
            device.weights = program.weights
            dead += 1
    assert dead == 2


def test_weights_may_be_any_byte(guarded: DeviceSession, learner: Compiled, tmp_path: Path) -> None:
    """Also -128, which no update leaves: an update takes it to -127."""
    program, path = learner.program, tmp_path / "l.npz"
    lowest = bytearray(program.weights)
    for start, end in int8_spans(program):
        lowest[start:end] = b"\x80" * (end - start)
    save_learned(path, Learned(program.hash, bytes(lowest), program.state))
    host = HostSession(program)
    load_learned(path, program).restore(host)
    guarded.weights = bytes(lowest)
    x = np.random.default_rng(2).integers(-128, 128, program.input_bytes).astype(np.int8)
    for label in (0, 1):
        assert np.array_equal(guarded.infer(x), host.infer(x))
        assert guarded.train_step(x, label, 30.0) == host.train_step(x, label, 30.0)
    assert guarded.weights == host.weights != bytes(lowest)


HEADS: list[tuple[dict[str, int], bool]] = [
    ({"rate_mantissa": 0x7FFF}, False),
    ({"rate_mantissa": 0x8000}, True),
    ({"rate_mantissa": 0}, True),
    ({"rate_exponent": -512}, True),
    ({"rate_exponent": -513}, False),
    ({"rate_exponent": 511}, True),
    ({"rate_exponent": 512}, False),
    ({"label": 2**16 - 1}, False),
    ({"predicted": 2**16 - 1}, False),
    ({"probability": 2**16 - 1, "step": 2**32 - 1, "error": 2**32 - 1, "seed": 7}, True),
]


@pytest.mark.parametrize(("fields", "is_sound"), HEADS)
def test_both_ends_refuse_the_same_states(
    fields: dict[str, int],
    is_sound: bool,
    guarded: DeviceSession,
    learner: Compiled,
    tmp_path: Path,
) -> None:
    program, path = learner.program, tmp_path / "l.npz"
    header, scales = state.unpack(program.state)
    found = state.pack(header._replace(**fields), scales)
    save_learned(path, Learned(program.hash, program.weights, found))
    if is_sound:
        guarded.state = found
        assert load_learned(path, program).state == guarded.state == found
        return
    with pytest.raises(LinkError, match="refused"):
        guarded.state = found
    with pytest.raises(DataError, match="is damaged: "):
        load_learned(path, program)


@pytest.mark.parametrize("field", ["label", "predicted"])
def test_both_ends_know_the_number_of_classes(
    field: str, guarded: DeviceSession, learner: Compiled, tmp_path: Path
) -> None:
    test_both_ends_refuse_the_same_states(
        {field: learner.program.classes - 1}, True, guarded, learner, tmp_path
    )
    test_both_ends_refuse_the_same_states(
        {field: learner.program.classes}, False, guarded, learner, tmp_path
    )


def with_gain(program: Program, gain: int) -> bytes:
    """STATE as compiled, with another gain in its last scale (SPEC 5.1)."""
    header, scales = state.unpack(program.state)
    return state.pack(header, [*scales[:-1], scales[-1]._replace(gain=gain)])


def test_gains_out_of_their_range_are_refused(
    guarded: DeviceSession, learner: Compiled, tmp_path: Path
) -> None:
    program, path = learner.program, tmp_path / "l.npz"
    for gain, is_sound in ((-128, False), (-65, False), (-64, True), (63, True), (64, False)):
        found = with_gain(program, gain)
        save_learned(path, Learned(program.hash, program.weights, found))
        if is_sound:
            guarded.state = found
            assert load_learned(path, program).state == guarded.state == found
            continue
        with pytest.raises(LinkError, match="refused"):
            guarded.state = found
        with pytest.raises(DataError, match=rf"damaged: scale \d+ has gain {gain};"):
            load_learned(path, program)
