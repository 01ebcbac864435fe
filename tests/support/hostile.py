"""Files made to exhaust memory or time, each with what reads it.

    python -m tests.support.hostile FOLDER

reads the files of a folder, one for each attack, with little memory allowed, and prints JSON: by
name of the attack the line it ends in, and the most memory in MB that the process had until then.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tests.support.models import File
from tests.support.onnxfile import OnnxFile

from tinyflash.compiler import compile_model
from tinyflash.errors import TinyflashError
from tinyflash.graph import Port, Quant
from tinyflash.program import Program
from tinyflash.read import read
from tinyflash.read.onnx.reader import read_onnx
from tinyflash.runtime.learned import load_learned
from tinyflash.scheme import load_scheme
from tinyflash.training.samples import load_inputs, load_samples

ADDRESS_SPACE = 1 << 30  # bytes that the reading process may ask for
SECONDS = 120  # that it may take for all, on a busy machine; alone it takes 2
MB = 1 << 20
PORT = Port("x", "int8", (1, 2, 3), Quant((0.5,), 0))


@dataclass(frozen=True)
class Attack:
    """`make` leaves a file at a path, `reader` takes it; `words` are in the line it ends in."""

    make: Callable[[Path], object]
    reader: Callable[[Path], object]
    words: str


# ---- Models -------------------------------------------------------------------------------------


def model(build: Callable[[File], int]) -> Callable[[Path], object]:
    def make(path: Path) -> object:
        file = File(1)
        return path.write_bytes(file.finish(build(file)))

    return make


def many_scales(file: File) -> int:
    """Ten thousand tensors that are one in the file, of as many scales."""
    x = file.input((1, 4))
    wide = file.tensors[file.tensor((1, 4))]
    wide.scale, wide.zero = [0.1] * 10_000, [0] * 10_000
    file.tensors.extend([wide] * 10_000)
    return file.dense(x, 3)


def shared_weights(file: File) -> int:
    """A megabyte that is the weights of 70 layers."""
    y = file.input((1, 1024))
    y = file.dense(y, 1024)
    _, w, b = file.operators[-1].inputs
    for _ in range(69):
        x, y = y, file.like(y)
        file.operator("FULLY_CONNECTED", [x, w, b], y, "FullyConnectedOptions")
    return y


def wide_maps(file: File) -> int:
    """Maps of 16 MB, one after the other."""
    y = file.input((1, 2048, 2048, 4))
    for _ in range(3):
        y = file.operator("RELU6", [y], file.like(y))
    return y


def broadcast(file: File) -> int:
    """A constant of one row, repeated to a whole map, again and again."""
    y = file.input((1, 400, 400, 4))
    row = file.constant([1, 2, 3, 4], "INT8", scale=0.02, zero=0)
    for _ in range(60):
        y = file.binary("ADD", y, row, 0.02)
    return y


def doubled(file: File) -> int:
    """Shape arithmetic whose result doubles with every step."""
    file.input((1, 4))
    x, size = file.constant(np.zeros(512)), 512
    for _ in range(15):
        size *= 2
        y = file.tensor((size,), type="INT32")
        x = file.operator("CONCATENATION", [x, x], y, "ConcatenationOptions", Axis=0)
    return x


def outer_product(file: File) -> int:
    a, b = file.constant(np.ones((100_000, 1))), file.constant(np.ones((1, 100_000)))
    y = file.tensor((100_000, 100_000), type="INT32")
    file.input((1, 4))
    return file.operator("MUL", [a, b], y, "MulOptions")


def joined_a_million_times(file: File) -> int:
    x = file.input((1, 4))
    y = file.tensor((1_000_000, 4), 0.02)
    return file.operator("CONCATENATION", [x] * 1_000_000, y, "ConcatenationOptions", Axis=0)


def a_million_axes(file: File) -> int:
    x = file.input((1, 4, 4, 2))
    axes = file.constant(np.ones(1_000_000))
    y = file.tensor((1, 4, 2), 0.02)
    return file.operator("MEAN", [x, axes], y, "ReducerOptions", KeepDims=False)


def operator_names(file: File) -> int:
    """300 operator codes, each with a name of 16 MB that is the same in the file."""
    x = file.input((1, 4))
    file.custom = b"x" * (16 * MB)
    return file.operator("CUSTOM", [x], file.like(x))


def sparse(size: int) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(size)

    return make


MODELS = {
    "many scales": Attack(model(many_scales), read, "damaged or truncated"),
    "shared weights": Attack(model(shared_weights), read, "weights and tables take more than"),
    "wide maps": Attack(model(wide_maps), read, "feature maps take more than"),
    "broadcast constants": Attack(model(broadcast), read, "take more than"),
    "doubling": Attack(model(doubled), read, "more than 1024 constants"),
    "outer product": Attack(model(outer_product), read, "more than 1024 constants"),
    "a million operands": Attack(model(joined_a_million_times), read, "damaged or truncated"),
    "a million axes": Attack(model(a_million_axes), read, "input 1 has 1000000 numbers"),
    "operator names": Attack(model(operator_names), read, "is not supported"),
    "a model of 10 TB": Attack(sparse(10 << 40), read, "more than 67,108,864 bytes"),
}


# ---- ONNX ---------------------------------------------------------------------------------------


def message(number: int, content: bytes) -> bytes:
    """A field of a protobuf message that is a message itself."""
    size, length = len(content), b""
    while size > 127:
        size, length = size >> 7, length + bytes([size & 127 | 128])
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def empty_messages(number: int) -> Callable[[Path], object]:
    """A graph of ten million fields of two bytes."""
    return lambda path: path.write_bytes(message(7, message(number, b"") * 10_000_000))


def onnx(build: Callable[[OnnxFile], str]) -> Callable[[Path], object]:
    def make(path: Path) -> object:
        file = OnnxFile((1, 4))
        return path.write_bytes(file.finish(build(file)))

    return make


def grown(file: OnnxFile) -> str:
    """Constants of 16 MB, computed a thousand times."""
    sums = []
    for _ in range(1000):
        shape = file.integers(4_000_000)
        large = file.node("Add", file.node("ConstantOfShape", shape), file.constant(1.0))
        sums.append(file.node("ReduceSum", large))
    return file.node("Add", "x", file.node("ReduceSum", file.node("Concat", *sums, axis=0)))


def shared_matrix(file: OnnxFile) -> str:
    """16 MB that are the weights of a thousand layers."""
    w, x = file.normal(2000, 2000), file.gemm("x", 2000, 4)
    for _ in range(1000):
        x = file.node("MatMul", x, w)
    return x


def many_layers(file: OnnxFile) -> str:
    x = "x"
    for _ in range(5000):
        x = file.node("Sigmoid", x)
    return x


ONNX = {
    "nodes of two bytes": Attack(empty_messages(1), read_onnx, "bytes without its weights"),
    "shapes of two bytes": Attack(empty_messages(13), read_onnx, "bytes without its weights"),
    "an endless number": Attack(
        lambda path: path.write_bytes(b"\xff" * (20 * MB)), read_onnx, "not an ONNX file"
    ),
    "grown constants": Attack(onnx(grown), read_onnx, "computes more constants than supported"),
    "a shared matrix": Attack(onnx(shared_matrix), read_onnx, "more than 67,108,864 weights"),
    "5,000 layers": Attack(onnx(many_layers), read_onnx, "more than 1,024 layers"),
    "an ONNX model of 10 TB": Attack(sparse(10 << 40), read_onnx, "more than 268,435,456 bytes"),
}


# ---- Other files --------------------------------------------------------------------------------


def learned(path: Path) -> object:
    file = File(1)
    path.with_suffix(".tflite").write_bytes(file.finish(file.dense(file.input((1, 4)), 3)))
    program: Program = compile_model(read(path.with_suffix(".tflite"))).program
    return load_learned(path, program)


def samples(path: Path) -> object:
    return load_samples(path, PORT, 2)


def inputs(path: Path) -> object:
    return load_inputs(path, PORT)


def bomb(said: int) -> Callable[[Path], object]:
    """50 MB of zeros in 50 kB, of which the archive's list says another size."""

    def make(path: Path) -> object:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            with archive.open("x.npy", "w") as member:
                for _ in range(50):
                    member.write(bytes(MB))
            size = archive.getinfo("x.npy").file_size
        content = file.getvalue()
        head, mark, listing = content.partition(b"PK\x01\x02")
        listing = listing.replace(size.to_bytes(4, "little"), said.to_bytes(4, "little"), 1)
        return path.write_bytes(head + mark + listing)

    return make


def vast_header(path: Path) -> object:
    file = io.BytesIO()
    np.save(file, np.zeros((2, 2, 3), np.int8))
    return path.write_bytes(file.getvalue().replace(b"(2, 2, 3)", b"(9" + b"0" * 6 + b",)"))


def text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content)


OTHERS = {
    "an archive of 3 GB": Attack(bomb(3_000_000_000), samples, "holds 3,000,000,000 bytes"),
    "an archive that lies": Attack(bomb(500), samples, "is not a whole"),
    "learned weights of 3 GB": Attack(bomb(3_000_000_000), learned, "holds 3,000,000,000 bytes"),
    "samples of 10 TB": Attack(sparse(10 << 40), inputs, "holds 10,995,116,277,760 bytes"),
    "samples of a vast shape": Attack(vast_header, inputs, "is not a whole"),
    "a scheme of 10 TB": Attack(sparse(10 << 40), load_scheme, "more than 1,048,576 bytes"),
    "a scheme of brackets": Attack(text("a = " + "[" * 50_000), load_scheme, "not a TOML file"),
    "a scheme of tables": Attack(text("[a" + ".a" * 5_000 + "]"), load_scheme, "unknown key"),
    "a scheme of digits": Attack(text("head = " + "9" * 50_000), load_scheme, "not a TOML file"),
    "a scheme of zeros": Attack(sparse(1000), load_scheme, "not a TOML file"),
}

READERS = {
    "model": read,
    "ONNX model": read_onnx,
    "scheme": load_scheme,
    "samples": inputs,
    "learned": learned,
}
PLACES = {
    "pipe": Attack(os.mkfifo, read, "not a regular file"),
    "device": Attack(lambda path: path.symlink_to("/dev/zero"), read, "not a regular file"),
    "folder": Attack(lambda path: path.mkdir(), read, "not a regular file"),
}
NOT_FILES = {
    f"{what} that is a {place}": Attack(attack.make, reader, attack.words)
    for what, reader in READERS.items()
    for place, attack in PLACES.items()
}
ATTACKS = {**MODELS, **ONNX, **OTHERS, **NOT_FILES}


def make_all(folder: Path) -> None:
    for index, attack in enumerate(ATTACKS.values()):
        attack.make(folder / str(index))


def outcome(attack: Attack, path: Path) -> tuple[str, int]:
    try:
        attack.reader(path)
        line = "taken"
    except TinyflashError as error:
        line = str(error)
    return line, _peak_megabytes()


def _peak_megabytes() -> int:
    """Of this program alone: what getrusage says begins with the size of what started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) >> 10


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    signal.alarm(SECONDS)
    folder = Path(sys.argv[1])
    places = enumerate(ATTACKS.items())
    print(json.dumps({name: outcome(a, folder / str(index)) for index, (name, a) in places}))
