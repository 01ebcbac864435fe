"""The command line as tests use it."""

from click.testing import CliRunner

from tinyflash.cli import main


def tinyflash(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(*arguments):
    """The one line of a refusal, without its 'error: '."""
    result = tinyflash(*arguments)
    lines = result.stderr.splitlines()
    assert result.exit_code == 1, result.output
    assert lines, "nothing said"
    assert lines[-1].startswith("error: ")
    assert sum(line.startswith("error: ") for line in lines) == 1
    assert "Traceback" not in result.output
    return lines[-1].removeprefix("error: ")
