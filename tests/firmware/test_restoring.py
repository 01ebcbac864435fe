"""Restored biases, on the device and from a file: one beyond its limit is refused (SPEC 6.5)."""

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
from tinyflash.runtime.device.link import Link
from tinyflash.runtime.device.session import DeviceSession
from tinyflash.runtime.learned import Learned, load_learned, save_learned
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
