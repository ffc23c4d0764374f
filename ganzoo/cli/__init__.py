"""The command line: arguments in, tables and progress out, nothing else.

Each module of this package holds the commands of one theme and registers them on `app`. None imports torch at its top,
so `ganzoo --help` and the listings stay quick.
"""

import io
import json
import logging
import os
import re
import sys
import warnings
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from ganzoo import __version__
from ganzoo.errors import GanzooError
from ganzoo.text import HIDDEN, toml_value

console = Console()  # what was asked for
errors = Console(stderr=True)  # progress, warnings and errors

app = typer.Typer(
    name="ganzoo",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="A GAN zoo whose every part is a plugin: train, sample and share image GANs.\n\n"
    "Begin with `ganzoo models`, then `ganzoo sample cgan-mnist --grid --out digits.png`.",
)


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"ganzoo {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    if debug:
        os.environ["GANZOO_DEBUG"] = "1"
    warnings.showwarning = lambda message, *_, **__: say("yellow", "warning", message)
    log = logging.getLogger("ganzoo")
    log.setLevel(logging.INFO)
    if not any(isinstance(handler, _Log) for handler in log.handlers):
        log.addHandler(_Log())


class _Lasting(io.FileIO):
    """A stream whose other end may go: a closed terminal, or a full disk, costs words and never the work."""

    def write(self, words: Any) -> int:
        try:
            return super().write(words) or len(words)
        except OSError:
            return len(words)


class _Log(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if is_main():
            colour = "yellow" if record.levelno >= logging.WARNING else "cyan"
            say(colour, record.levelname.lower(), record.getMessage())


def main() -> None:
    """Run the command line. Exit codes: 0; 1 some inputs failed; 2 bad input; 3 it ran and failed; 128 + a signal."""
    from ganzoo.cli import demo, evaluate, hub, kit, lists, sample, train, transform  # noqa: F401  (they register their commands)

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name may hold what a terminal's encoding doesn't
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stderr, io.TextIOWrapper) and sys.stderr is sys.__stderr__:
        raw = io.BufferedWriter(_Lasting(sys.stderr.fileno(), "w", closefd=False))
        sys.stderr = io.TextIOWrapper(raw, sys.stderr.encoding, sys.stderr.errors, line_buffering=True)
    try:
        app()
    except GanzooError as error:
        if os.environ.get("GANZOO_DEBUG"):
            raise
        if not error.elsewhere and (is_main() or error.elsewhere is None):
            say("red", "error", error)
        _leave(error.exit_code)
    except OSError as error:  # a path that is too long or may not be read, a disk that is full: anywhere
        if os.environ.get("GANZOO_DEBUG"):
            raise
        place = f"{str(error.filename)!r} can't be used: " if error.filename else ""
        say("red", "error", f"{place}{error.strerror or error}; --debug shows where")
        _leave(2 if place else 3)


def _leave(code: int) -> NoReturn:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        os._exit(code)  # an orderly end would wait for processes that may be gone
    sys.exit(code)


def is_main() -> bool:
    """Of the processes that torchrun started, the one that speaks."""
    return os.environ.get("RANK", "0") == "0"


def say(colour: str, head: str, message: object) -> None:
    """A line on stderr; what others wrote is no markup, and nothing that a terminal obeys."""
    words = "\n".join(HIDDEN.sub(" ", line) for line in str(message).split("\n"))
    errors.print(f"[{colour}]{head}:[/] {escape(words)}", highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """JSON for a script, in ASCII where stdout has no more; nothing in it that a terminal obeys."""
    text = HIDDEN.sub(" ", json.dumps(value, default=str, ensure_ascii=False))
    console.print_json(text, ensure_ascii=not console.encoding.startswith("utf"))


def assignment(text: str, example: str = "training.images=1000") -> tuple[str, Any]:
    """A `--set`: the name, and the value as TOML has it or as people write it; anything else is a word."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise GanzooError(f"--set wants a setting and its value such as {example}, not {text!r}")
    return name.strip(), _value(value.strip())


def _value(text: str) -> Any:
    """More than TOML allows: `.5`, `True`, and a whole number with an exponent, `1e5`."""
    if text in ("True", "False"):
        return text == "True"
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", text, re.I) or text.lstrip("+-").isdigit():
        return toml_value(text)
    number = float(text)
    whole = "e" in text.lower() and number.is_integer() and abs(number) < 2**53
    return int(number) if whole else number
