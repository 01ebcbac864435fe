"""What all tests share: compilers that compile each object once."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.support.compilers import has_stand_ins, path_of_stand_ins

from tinyflash.boards import Board


def pytest_addoption(parser: pytest.Parser) -> None:
    of = "(tests/agree/test_random_kernels.py)"
    cases = f"random cases of each operator of a faster set, shared by its kernels {of}"
    parser.addoption("--random-cases", type=int, default=2000, help=cases)
    of = "(test_same_steps.py)"
    parser.addoption("--demo-steps", type=int, default=100, help=f"steps {of}")
    least = f"at most so many with the reference kernels, which take six times as long {of}"
    parser.addoption("--demo-steps-of-ref", type=int, default=25, help=least)
    parser.addoption("--unpluggings", type=int, default=3, help="boards killed (test_unplugged.py)")
    of = "(test_collecting.py)"
    parser.addoption("--collect-seconds", type=float, default=3.0, help=f"of collecting {of}")
    parser.addoption("--collect-rate", type=float, default=1000.0, help=f"frames per second {of}")
    parser.addoption("--collect-cuts", type=int, default=3, help=f"of the link {of}")
    parser.addoption("--collect-kills", type=int, default=3, help=f"hosts killed {of}")
    spoken = "run examples/keywords, half a minute of processor time (test_keywords_example.py)"
    parser.addoption("--keywords", action="store_true", help=spoken)
    which = "of the kernel cases, those whose kernel matches this expression"
    parser.addoption("--kernel-cases", default="", metavar="REGEX", help=which)
    every = "on boards too every kernel case, not a third (tests/agree/test_kernels.py)"
    parser.addoption("--all-kernel-cases", action="store_true", help=every)
    sets = "random cases of this kernel set alone"
    parser.addoption("--kernel-set", default="", metavar="NAME", help=sets)
    of = "(test_memory_model.py)"
    parser.addoption("--memory-pairs", type=int, default=8, help=f"networks with schemes {of}")
    every = "on each core with -O0 too (tests/own_firmware/test_clang.py)"
    parser.addoption("--all-clang", action="store_true", help=every)
    every = "every mutation (tests/mutations), not a sample"
    parser.addoption("--all-mutations", action="store_true", help=every)
    parser.addoption("--random-seed", type=int, default=0, help=f"which random cases {of}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips what a board needs a compiler or an emulator for that is not installed."""
    for value in getattr(getattr(item, "callspec", None), "params", {}).values():
        if isinstance(value, Board):
            absent = [*value.cross.missing(), *value.cross.missing_emulator()]
            if absent:
                pytest.skip(f"{', '.join(tool.name for tool in absent)} missing, for {value.name}")


@pytest.fixture(scope="session", autouse=True)
def _compilers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    if has_stand_ins():
        yield
        return
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of all workers
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", path_of_stand_ins(folder / "compilers"))
        yield
