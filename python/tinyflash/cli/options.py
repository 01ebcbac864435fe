"""Options that several commands share, and what every command checks before the work begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from click.shell_completion import CompletionItem

from tinyflash import files
from tinyflash.boards import boards
from tinyflash.boards.debug_probe import probes
from tinyflash.boards.memory import IN_RAM
from tinyflash.compiler.plan import EXACT, QUICK
from tinyflash.errors import DataError, SchemeError
from tinyflash.runtime.device.pairing import read_key
from tinyflash.runtime.device.rate import BASE, HIGHER
from tinyflash.runtime.replay import MOST_SLOTS
from tinyflash.runtime.schedule import KINDS
from tinyflash.show.console import QUIET
from tinyflash.training.loop import Recipe
from tinyflash.training.open import Running

F = TypeVar("F", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)  # the reader checks that the file exists, with one wording


class Learned(click.Path):
    """The type of an option that names a learned.npz, or the folder of the run that wrote it."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(str(super().convert(value, param, ctx)))
        return path / "learned.npz" if path.is_dir() else path


LEARNED = Learned()


class Output(click.Path):
    """The type of an option that names a file to write."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return files.to_write(Path(str(super().convert(value, param, ctx))))


class Network(Output):
    """The same for a .tflite file."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = super().convert(value, param, ctx)
        if path.suffix.lower() == ".onnx":  # which read() would take for ONNX
            raise DataError(f"{path} would hold a .tflite network; give it a name with .tflite")
        return path


OUTPUT = Output()


class BoardName(click.ParamType[str]):
    """The name of a board, or the folder of a user's own, which a shell completes. others: names
    that an option takes besides."""

    name = "text"

    def __init__(self, *others: str) -> None:
        self.others = others

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        known = dict.fromkeys(self.others, "") | {b.name: b.description for b in boards()}
        names = [CompletionItem(k, help=v) for k, v in known.items() if k.startswith(incomplete)]
        return [CompletionItem(incomplete, type="dir"), *names]  # bash drops what is before a dir


class Port(click.ParamType[str]):
    """A serial port: a shell completes the name of a device."""

    name = "text"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


class Probe(click.ParamType[str]):
    """A debug probe: a shell completes the ID of one that is plugged in."""

    name = "text"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [
            CompletionItem(id_, help=what) for id_, what in probes() if id_.startswith(incomplete)
        ]


class Place(click.ParamType[str]):
    """A part of an image and its region: a shell completes the part."""

    name = "text"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(f"{part}=") for part in IN_RAM if f"{part}=".startswith(incomplete)]


BOARDS = "A name of `tinyflash boards`, or the folder of your own board"  # what --board takes
BOARD = BoardName()


def _be_quiet(context: click.Context, _parameter: object, value: bool) -> None:
    before = QUIET.set(value)
    context.call_on_close(lambda: QUIET.reset(before))


def _quiet() -> click.Option:
    return click.Option(
        ["-q", "--quiet"],
        is_flag=True,
        expose_value=False,
        callback=_be_quiet,
        help="Print no progress, only results, warnings and errors.",
    )


class _Quietable(click.Command):
    """Has --quiet, which ends with the command."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.params.append(_quiet())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except BaseException:  # click closes only contexts that it could make
            ctx.close()
            raise


class Listing(_Quietable, click.Group):
    """A group that also is a command without a subcommand."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.invoke_without_command, self.no_args_is_help = True, False


class Command(_Quietable):
    """Refuses to write over a file that the same command reads or writes; names the scheme file in
    errors that the compiler finds."""

    def invoke(self, ctx: click.Context) -> Any:
        named = [(p, ctx.params[p.name]) for p in self.params if ctx.params.get(p.name or "")]
        read = [(p, path) for p, path in named if p.type in (PATH, LEARNED)]
        written = [(p, path) for p, path in named if isinstance(p.type, Output)]
        pairs = [(w, other) for w in written for other in read] + list(combinations(written, 2))
        for (_, path), (other, same) in pairs:
            if files.is_same(path, same):
                raise DataError(
                    f"{path} is also {other.get_error_hint(ctx)} of this command; "
                    "choose another file name"
                )
        try:
            return super().invoke(ctx)
        except SchemeError as error:
            scheme, text = ctx.params.get("scheme"), str(error)
            if scheme is None or not text.startswith(("scheme: ", "head: ")):
                raise
            raise SchemeError(f"{scheme}: {text.removeprefix('scheme: ')}") from None


model = click.argument("model", type=PATH)
chosen = click.option(
    "--output", "chosen", metavar="NAME|INDEX",
    help="Which output of MODEL, if it has several, by number or name; or a tensor, a layer or a "
    "node inside by its name: the network ends there.",
)  # fmt: skip
scheme = click.option("--scheme", type=PATH, help="Scheme file (TOML): what to train.")
board = click.option("--board", type=BOARD, help=f"{BOARDS}.")
place = click.option(
    "--place", "places", type=Place(), multiple=True, metavar="PART=REGION",
    help="Put a part of the image (stack, variables, arena, weights, state) into another region of "
    "the board's memory, as in arena=dtcm. Repeatable.",
)  # fmt: skip


def _key(_context: object, _parameter: object, path: Path | None) -> bytes | None:
    return None if path is None else read_key(path)


pairing_key = click.option(
    "--pairing-key", type=PATH, callback=_key, metavar="FILE",
    help="Key of a paired board: a file of 32 hexadecimal digits.",
)  # fmt: skip
_port = partial(
    click.option, "--port", type=Port(), metavar="PORT",
    help="Serial port of a board that runs: /dev/ttyACM0, COM3 or socket://host:port.",
)  # fmt: skip
_baud = click.option(
    "--baud", type=click.IntRange(BASE), default=HIGHER[0], metavar="RATE",
    help=f"The highest rate of the serial line to try. {BASE}: that of every start. Default: the "
    "highest that computer, board and line can.",
)  # fmt: skip


def running(required: bool) -> Callable[[F], F]:
    """The options of a board that runs already: --port, --pairing-key, --baud. The command gets
    them as `running`, a Running; None without --port."""

    def add(function: F) -> F:
        @wraps(function)
        def call(
            *given: Any, port: str | None, pairing_key: bytes | None, baud: int, **named: Any
        ) -> Any:
            there = None if port is None else Running(port, pairing_key, baud)
            return function(*given, running=there, **named)

        for option in (_baud, pairing_key, _port(required=required)):
            call = option(call)
        return cast(F, call)

    return add


where = click.option(
    "--board", type=BoardName("host"), default="host", show_default=True, help=f"{BOARDS}, or host."
)


def data_option(required: bool) -> Callable[[F], F]:
    return click.option(
        "--data", type=PATH, required=required,
        help="An .npz file. x: samples on the first axis, in the model's input units. y: integer "
        "labels, or targets in real units if the scheme's loss takes targets. Or the folder of a "
        "data set: see tinyflash data.",
    )  # fmt: skip


data = data_option(required=True)
hop = click.option(
    "--hop", type=click.IntRange(1),
    help="Of a data set: frames from one window to the next. Default: half a window.",
)  # fmt: skip
rows = click.option(
    "--rows", is_flag=True, help="Read the input row by row; never hold all of it in SRAM."
)
effort = click.option(
    "--exact", "effort", is_flag=True,
    callback=lambda _context, _parameter, exact: EXACT if exact else QUICK,
    help="Search longer for the smallest arena: up to half a minute.",
)  # fmt: skip
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
json_rows = click.option(
    "--json", "json_path", type=OUTPUT, help="Write the rows to this file.",
)  # fmt: skip
seed = click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
epochs = click.option(
    "--epochs", type=click.IntRange(1), default=Recipe.epochs, show_default=True,
    help="Passes over the samples.",
)  # fmt: skip
rate = click.option(
    "--rate", type=float, default=Recipe.rate, show_default=True,
    help="Learning rate, per real unit of weight.",
)  # fmt: skip
schedule = click.option(
    "--schedule", type=click.Choice(KINDS), default=Recipe.schedule,
    show_default=True, help="Learning-rate schedule.",
)  # fmt: skip
warmup = click.option(
    "--warmup", type=click.IntRange(0), default=Recipe.warmup, show_default=True,
    help="Training steps during which the rate rises from almost 0.",
)  # fmt: skip
guard = click.option(
    "--guard", type=click.IntRange(0), default=0, show_default=True, metavar="SAMPLES",
    help="Held-out samples for the guard; 0: no guard.",
)  # fmt: skip
replay = click.option(
    "--replay", type=click.IntRange(0, MOST_SLOTS), default=0, show_default=True, metavar="SLOTS",
    help="Samples of each class that a replay buffer keeps, against forgetting; 0: no buffer.",
)  # fmt: skip


def output_file(what: str, kind: Output = OUTPUT) -> Callable[[F], F]:
    """The option -o of a command that writes one file."""
    return click.option("-o", "--out", "output", type=kind, required=True, help=what)


def output_folder(
    what: str,
    names: Sequence[str] | Callable[[click.Context, Path], Sequence[str]],
    default: Path | None = None,
) -> Callable[[F], F]:
    """The option -o of a command that writes several files into a folder.

    names: of these files, relative to the folder; the command is refused where it cannot write one.
    As a function: of the eager options, in the context, and of the folder.
    """

    def fillable(context: click.Context, _parameter: object, path: Path) -> Path:
        return files.to_fill(path, names(context, path) if callable(names) else names)

    asked = {"required": True} if default is None else {"default": default, "show_default": True}
    return click.option("-o", "--out", "output", type=PATH, help=what, callback=fillable, **asked)
