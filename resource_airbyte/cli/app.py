"""The entry: global options, the way from words to a verb, and the exit code."""

from __future__ import annotations

import sys
from typing import Annotated, Any, ClassVar

import typer
from typer.main import get_command

from resource_airbyte import __version__
from resource_airbyte.cli import failures, overview, render
from resource_airbyte.cli.result import INTERRUPTED, Result
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import PROGRAM, Group, application
from resource_airbyte.errors import ResourceError, of_disk


class Root(Group):
    """The program itself; its help is the overview."""

    lazy: ClassVar = {name: (f"resource_airbyte.cli.{name}", sentence) for name, sentence in overview.VERBS.items()}

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(overview.text())


app = application(Root)


def _version(context: typer.Context, value: bool) -> None:
    if value:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    runtime: Annotated[str | None, typer.Option(help="embedded, compose or remote.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="The embedded runtime's directory.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show more.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> Result | None:
    session = of(context)
    session.choose({"runtime": runtime, "data_dir": data_dir})
    session.verbose = verbose
    return None if context.invoked_subcommand else Result(text=render.as_typed(overview.text().rstrip("\n")))


def main(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = hoist(sys.argv[1:] if arguments is None else arguments)
    session = Session()
    session.form = failures.form_of(words)
    try:
        outcome = get_command(app).main(words, prog_name=PROGRAM, standalone_mode=False, obj=session)
        return render.render(outcome, session.form) if isinstance(outcome, Result) else int(outcome or 0)
    except ResourceError as error:
        return failures.fail(error, session)
    except typer.TyperException as error:
        return failures.fail(failures.usage(error), session)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        render.silence_stdout()
        return 0
    except OSError as error:
        known = of_disk(error)
        return failures.unexpected(error) if known is None else failures.fail(known, session)
    except Exception as error:
        return failures.unexpected(error)
    finally:
        session.close()


def hoist(words: list[str]) -> list[str]:
    """The words with the global options that have a value in front, wherever a person has put them."""
    front: list[str] = []
    rest = list(words)
    index = 0
    while index < len(rest) and rest[index] != "--":
        name, equals, _ = rest[index].partition("=")
        if name not in failures.GLOBAL_FLAGS:
            index += 1
            continue
        count = 1 if equals else 2
        front += rest[index : index + count]
        del rest[index : index + count]
    return front + rest
