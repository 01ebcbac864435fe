"""The stack of a whole firmware image: start-up, main loop, commands, library, faults."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tinyflash.boards.footprint.callgraph import CallGraph, held_functions, read_call_graph

# Where a program of each kind of cores starts, where a fault goes on, on a fresh stack, and the
# bytes that the core pushes on a fault, in the worst case at the deepest stack. An Arm core pushes
# eight registers, and a word that aligns them; RISC-V pushes nothing. The firmware uses no
# interrupts.
EXCEPTION_BYTES = 36
_CORES = (
    ("cortex_m_reset", "cortex_m_report_fault", EXCEPTION_BYTES),
    ("riscv_start", "riscv_report_trap", 0),
)


def firmware_stack(graph: CallGraph, kernels: Iterable[str]) -> int:
    """Returns the most stack, in bytes, that the firmware takes with a model that names
    `kernels`."""
    start, fault, pushed = next(core for core in _CORES if core[0] in graph.frames)
    running = graph.depth(start, (*kernels, *graph.handed)) + pushed
    return -(-max(running, graph.depth(fault)) // 8) * 8


def stack_script(objects: Iterable[Path], model: Path) -> str:
    """Returns a linker line with the worst-case stack of the firmware of these objects.

    model: the object whose tables name the kernels.
    """
    graph = read_call_graph(objects)
    kernels = [name for name in held_functions(model) if name in graph.frames]
    use = firmware_stack(graph, kernels)
    return f"board_stack_use = {use};\n"
