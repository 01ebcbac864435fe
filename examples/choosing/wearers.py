"""Writes the network as network.tflite, and windows of two wearers as wearers.c, into a folder.

python wearers.py FOLDER [SAMPLES TESTS]    as many of each wearer as wearers.h says
"""

import sys
from pathlib import Path

import numpy as np

from tinyflash.files import write_bytes
from tinyflash.zoo.networks import path_of
from tinyflash.zoo.tasks import load_task

WEARERS = (0, 3)


def few(part, count):
    """Returns windows and labels from all over a recording, in the order of time."""
    places = np.linspace(0, len(part.x) - 1, count).astype(int)
    return part.x[places], part.y[places]


def row(numbers):
    return f"{{{','.join(map(str, numbers.ravel().tolist()))}}}"


def main(folder, samples=64, tests=64):
    text = '#include "wearers.h"\n\nconst wearer wearers[WEARERS] = {\n'
    people = load_task("activity").splits(0)  # new to the network
    for number in WEARERS:
        parts = few(people[number].train, samples), few(people[number].test, tests)
        x, y = map(np.concatenate, zip(*parts, strict=True))
        windows = ",\n".join(map(row, x))
        text += f"{{{{{windows}}},\n{row(y)}}},\n"
    write_bytes(folder / "wearers.c", (text + "};\n").encode())
    write_bytes(folder / "network.tflite", path_of("activity").read_bytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
