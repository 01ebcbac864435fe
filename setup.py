"""Compiles the C library into the host extension, and packs the C sources into the wheel."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SOURCES = ("LICENSE", "SConstruct")
SOURCES += ("include", "lib", "firmware", "boards", "examples")


class BuildWithSources(build_py):
    """Adds the C sources as tinyflash/_sources, so that an installed package can build firmware."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return  # an editable install finds the sources in the checkout
        target = Path(self.build_lib, "tinyflash", "_sources")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in SOURCES:
            source = Path(name)
            if source.is_dir():
                skip = shutil.ignore_patterns("build", "__pycache__", "*.o", ".sconsign*")
                shutil.copytree(source, target / name, ignore=skip)
            else:
                shutil.copy(source, target / name)


setup(
    # one wheel for all versions of Python: cffi keeps to the stable ABI
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    cffi_modules=["python/tinyflash/runtime/host/build.py:ffi"],
    cmdclass={"build_py": BuildWithSources},
)
