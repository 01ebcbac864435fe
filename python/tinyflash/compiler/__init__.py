"""Compiles a network and a scheme to a program: passes, plan, checks, table."""

from tinyflash.compiler.pipeline import Compiled, compile_model, compile_uncalibrated
from tinyflash.compiler.prepare import Prepared, prepare

__all__ = ["Compiled", "Prepared", "compile_model", "compile_uncalibrated", "prepare"]
