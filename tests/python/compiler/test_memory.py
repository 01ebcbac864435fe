"""Compiling a reference network for training takes a small part of a small computer's memory."""

import subprocess
import sys

MOST = 500  # MB; it takes 70

COMPILE = """
import resource
from tinyflash.compiler import compile_model
from tinyflash.scheme import parse_scheme
from tinyflash.zoo.reference import reference_network

scheme = parse_scheme("[[update]]\\nweights = 1.0\\nbias = true")
compile_model(reference_network("mcunet-5fps"), scheme)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


def test_all_layers_of_a_reference_network():
    command = [sys.executable, "-c", COMPILE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 30 < int(done.stdout) < MOST
