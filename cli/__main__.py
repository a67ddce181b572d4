"""The entry of every command, and the one place where failures become a sentence."""

import gc
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO, cast

import click
from sqlalchemy.exc import OperationalError

from core.errors import FootnoteError, reference_id
from core.logs import configure_logs, logger
from core.settings import settings
from store.postgres_host import make_folder

COMMANDS = {
    "up": "Start everything on this machine: database, worker, page, Slack.",
    "ask": "Ask a question and print the answer with its footnotes.",
    "ingest": "Add files or folders of policies.",
    "documents": "List documents; show, compare, restore and delete versions.",
    "sources": "Watch folders, pages, repositories, buckets and channels.",
    "embeddings": "Show and change the model that embeds passages.",
    "doctor": "Check every part and say how to mend it.",
    "glossary": "Keep acronyms and what they stand for; questions are searched with both.",
    "trace": "Show how a kept answer came about.",
    "feedback": "See what people say of answers, and take it to where it helps.",
    "escalations": "See which questions wait for a person.",
    "transcripts": "Collect exchanges, look at them, keep the good ones as examples.",
    "finetune": "Train models from datasets, and see how their runs go.",
    "tokens": "Create and revoke tokens of programs that add documents over HTTP.",
    "members": "Show and set who may read what.",
    "slack": "List and remove the Slack teams that installed the app.",
    "people": "Show what is kept about a person, and delete it.",
    "models": "See which models answer; gate, try, promote and roll them back.",
    "eval": "Measure retrieval and answers on questions of your own.",
    "benchmarks": "Measure speed and cost, as ratios.",
    "web": "Serve the page (what `up` and production run).",
    "worker": "Run the Celery worker with its relay (what `up` and production run).",
    "beat": "Submit what is due by the schedules (what `up` and production run).",
    "bot": "Connect to Slack (what `up` and production run).",
    "serve": "Serve local style models behind an OpenAI-compatible address.",
    "migrate": "Bring the database's tables up to date.",
}
SERVICES = frozenset({"web", "worker", "beat", "bot", "serve"})
HOME_MODE = 0o711  # the account that runs the database must be able to pass through
FAILED = 1
BROKEN = 70  # an error nobody expected (sysexits.h EX_SOFTWARE)
INTERRUPTED = 130  # 128 + SIGINT, as shells count


class Commands(click.Group):
    """A group that imports a command's module only when that command is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order people meet them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, None if there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        gc.disable()  # nothing imported is garbage, and looking for some takes a sixth of the time
        try:
            module = importlib.import_module(f"cli.{cmd_name}")
        finally:
            gc.freeze()
            gc.enable()
        command: click.Command = getattr(module, "evaluate" if cmd_name == "eval" else cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands' help without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def footnote() -> None:
    """Footnote answers from your policies and quotes the exact words."""


class CommandLog(io.TextIOBase):
    """The log of commands, made by the first line written to it: most leave none."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._stream: TextIO | None = None

    def write(self, line: str) -> int:
        """Append to the file; to standard error where there can be none."""
        if self._stream is None:
            self._stream = self._open()
        return self._stream.write(line)

    def _open(self) -> TextIO:
        folder = self._home / "logs"
        try:
            make_folder(self._home, HOME_MODE)
            folder.mkdir(exist_ok=True)
            return (folder / "commands.log").open("a", encoding="utf-8")
        except OSError:
            return sys.stderr

    def flush(self) -> None:
        """Let what was written reach the file."""
        if self._stream is not None:
            self._stream.flush()


def open_log(arguments: Sequence[str]) -> TextIO:
    """Return where this process logs: services to their standard error, commands to a file."""
    if arguments[:1] and arguments[0] in SERVICES:
        return sys.stderr
    return cast("TextIO", CommandLog(settings().home))


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def catch_signals() -> None:
    """Let what is held be released however this process is asked to end.

    Also in a shell's background, where Ctrl-C is ignored at first; but `nohup` is obeyed.
    """
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)


def main() -> NoReturn:
    """Run one command; every failure ends in one sentence on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may have no “ or ✓
    catch_signals()
    try:
        configure_logs(settings().log_level, open_log(sys.argv[1:]))
        # Outside its standalone mode click returns the status of an Exit instead of raising it.
        status = footnote(prog_name="footnote", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(status)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "footnote"
        reason = error.format_message().rstrip(".")
        click.echo(f"Error: {reason}. See {command} --help.", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has left; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except FootnoteError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(FAILED)
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[-1] if error.orig else "no answer"
        click.echo(f"Error: The database failed ({reason}); run the command again.", err=True)
        sys.exit(FAILED)
    except Exception:  # noqa: BLE001 - the boundary of this process
        reference = reference_id()
        logger("cli").exception("unexpected failure", reference=reference)
        click.echo(
            f"Error: something went wrong that should not (reference {reference}); the log in"
            f" {settings().home / 'logs'} says where. python3 run.py doctor checks every part.",
            err=True,
        )
        sys.exit(BROKEN)


if __name__ == "__main__":
    main()
