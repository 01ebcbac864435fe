"""What is missing, and the command that gets it."""

import dataclasses

import pytest

from tinyflash.boards import toolchain


@pytest.fixture
def bare_machine(monkeypatch):
    """A machine on which nothing is installed, and nothing may be."""
    bare = tuple(dataclasses.replace(tool, find=lambda: None) for tool in toolchain.TOOLS)
    monkeypatch.setattr(toolchain, "TOOLS", bare)
    monkeypatch.setattr(toolchain, "_may_install", lambda: False)


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt", "apt-get install -y --no-install-recommends gcc-arm-none-eabi libnewlib-arm"),
        ("dnf", "dnf install -y arm-none-eabi-gcc-cs arm-none-eabi-newlib qemu-system-arm"),
        ("brew", "brew install qemu && brew install --cask gcc-arm-embedded"),
        ("winget", "winget install Arm.GnuArmEmbeddedToolchain, the installer of QEMU"),
    ],
)
def test_one_line_says_how_to_get_what_is_missing(
    bare_machine, monkeypatch, capsys, manager, command
):
    monkeypatch.setattr(toolchain, "package_manager", lambda: manager)
    assert toolchain.main(["boards"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: Arm GCC, newlib, QEMU missing; install with: ")
    assert command in lines[0]


def test_only_the_groups_asked_for_are_looked_for(bare_machine):
    assert {tool.name for tool in toolchain.missing(["check"])} == {"cppcheck"}
    assert toolchain.missing([]) == []


def test_every_tool_has_a_package_for_every_manager_or_another_way():
    for tool in toolchain.TOOLS:
        known = {"apt", "dnf", "brew"} <= set(tool.packages)
        assert known != bool(tool.elsewhere), tool.name


@pytest.mark.parametrize("manager", ["dnf", "brew"])
def test_what_no_package_has_is_said_once(manager):
    tools = [tool for tool in toolchain.TOOLS if tool.name in ("RISC-V GCC", "picolibc", "make")]
    how = toolchain.install_command(tools, manager)
    command, _, rest = how.partition(", RISC-V GCC and picolibc: no package is known; build http")
    assert command.endswith("make")
    assert rest.count("picolibc") == 1


def test_what_these_tests_run_on_is_found():
    assert toolchain.missing(["python"]) == []
