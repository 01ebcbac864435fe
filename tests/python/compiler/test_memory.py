"""Compiling a reference network for training takes a small part of a small computer's memory."""

import subprocess
import sys
from pathlib import Path

import pytest

STATUS = Path("/proc/self/status")
MOST = 500  # MB; it takes 70

COMPILE = """
from pathlib import Path
from tinyflash.compiler import compile_model
from tinyflash.scheme import parse_scheme
from tinyflash.zoo.reference import reference_network

scheme = parse_scheme("[[update]]\\nweights = 1.0\\nbias = true")
compile_model(reference_network("mcunet-5fps"), scheme)
(peak,) = (line for line in Path("/proc/self/status").open() if line.startswith("VmHWM"))
print(int(peak.split()[1]) >> 10)
"""


@pytest.mark.skipif(not STATUS.exists(), reason="no /proc")
def test_all_layers_of_a_reference_network():
    """By VmHWM: ru_maxrss is at least that of the process that started this one."""
    command = [sys.executable, "-c", COMPILE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 30 < int(done.stdout) < MOST
