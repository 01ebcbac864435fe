"""The command line: `tinyflash COMMAND`, one module per command, imported on demand."""

from __future__ import annotations

import errno
import os
import warnings
from importlib import import_module
from typing import IO, Any, TextIO

import click

from tinyflash.cli.stopping import StoppedError, ending, exit_code_of, name_of
from tinyflash.errors import TinyflashError, TinyflashNotice, TinyflashWarning

COMMANDS = {
    "demo": "demo:demo",
    "inspect": "inspect:inspect",
    "design": "design:design",
    "quantize": "quantize:quantize_",
    "compile": "compile:compile_",
    "infer": "infer:infer",
    "choose": "choose:choose",
    "train": "train:train",
    "watch": "watch:watch",
    "evaluate": "evaluate:evaluate",
    "export": "export:export",
    "build": "firmware:build",
    "flash": "flash:flash",
    "save": "store:save",
    "restore": "store:restore",
    "collect": "collect:collect",
    "data": "data:data",
    "sources": "sources:sources",
    "boards": "system:boards",
    "ports": "ports:ports",
    "packs": "packs:packs",
    "doctor": "system:doctor",
    "bench": "bench:bench",
}


class OneLine(click.ClickException):
    """An error for the user: one line, exit 1."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        line = " ".join(self.message.splitlines())
        click.echo(f"error: {line}", file=file, err=file is None)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Prints a warning for the user as one line; others as Python does."""
    if issubclass(category, TinyflashNotice):
        click.echo(str(message), err=True)
    elif issubclass(category, TinyflashWarning):
        click.echo(f"warning: {message}", err=True)
    else:
        text = warnings.formatwarning(message, category, filename, lineno, line)
        click.echo(text, file=file, err=file is None, nl=False)


class Commands(click.Group):
    """Imports a command's module only when needed, and turns every error into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command = getattr(import_module(f"tinyflash.cli.{module}"), name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("always", TinyflashWarning)
            warnings.showwarning = _show_warning
            with ending():
                return self._invoke(ctx)

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TinyflashError as error:
            raise OneLine(str(error)) from error
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else ctx.command_path
            raise OneLine(f"{error.format_message()} See {command} --help.") from error
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except StoppedError as stop:
            click.echo(f"stopped by {name_of(stop.signal)}", err=True)
            raise click.exceptions.Exit(exit_code_of(stop.signal)) from None
        except OSError as error:
            if error.errno == errno.EPIPE or os.environ.get("TINYFLASH_DEBUG"):
                raise
            raise OneLine(str(error)) from error
        except MemoryError as error:
            raise OneLine(f"out of memory ({error}); use less data, or a smaller model") from error
        except Exception as error:
            if os.environ.get("TINYFLASH_DEBUG"):
                raise
            name = type(error).__name__
            raise OneLine(
                f"{name}: {error}; this is a bug in tinyflash; "
                "set TINYFLASH_DEBUG=1 to see the traceback"
            ) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tinyflash")
def main() -> None:
    """Train int8 networks on microcontrollers, in 128 to 256 KB of SRAM."""
