"""The host extension compiled with sanitizers, and the environment that it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SANITIZERS = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
_NAME = "tinyflash.runtime.host._tinyflash"


def build_extension(folder: Path, environ: Mapping[str, str]) -> Path:
    """Compiles the extension into a folder, with more variables in the environment. Returns its
    file."""
    command = [sys.executable, "setup.py", "-q", "build_ext", "--force"]
    command += ["--build-lib", str(folder / "lib"), "--build-temp", str(folder / "objects")]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    (built,) = (folder / "lib").rglob("_tinyflash*.so")
    return built


def build_sanitized(folder: Path) -> Path:
    """Compiles the extension with sanitizers into a folder. Returns its file."""
    return build_extension(folder, {"TINYFLASH_CFLAGS": SANITIZERS, "LDFLAGS": SANITIZERS})


def environment() -> dict[str, str]:
    """Of a Python process that loads the extension: the sanitizers' runtime comes first, and every
    object of Python is an allocation of its own, whose end is watched."""
    runtime = subprocess.run(
        ["cc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    return {
        **os.environ,
        "LD_PRELOAD": runtime.stdout.strip(),
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0",  # Python leaves its objects to the end of the process
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def use(extension: Path) -> None:
    """Makes an extension the C library of this process, which must not have loaded another."""
    assert _NAME not in sys.modules
    spec = spec_from_file_location(
        _NAME, extension, loader=ExtensionFileLoader(_NAME, str(extension))
    )
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[_NAME] = module
