"""The one place that prints: data to stdout, everything that is said about it to stderr."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from typing import IO, TYPE_CHECKING, Any

from resource_airbyte.cli.result import Result, Table
from resource_airbyte.cli.table import harmless, lines
from resource_airbyte.errors import ResourceError

if TYPE_CHECKING:
    import yaml


def colour(stream: IO[str]) -> bool:
    """Whether to colour what goes there: a terminal, and nobody asked for none (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def render(result: Result, form: str) -> int:
    """Print a result in a form (text, json or yaml) and return its exit code."""
    try:
        for part in _parts(result, form):
            print(part, flush=not isinstance(result.text, str | Table | tuple | list))
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()  # whoever read has read enough
    except OSError as error:
        silence_stdout()
        raise ResourceError(f"the output could not be written: {error.strerror or error}") from error
    if form == "text":
        for message in result.messages:
            say(message)
        if result.hint:
            say(f"hint: {result.hint}")
    return result.code


def silence_stdout() -> None:
    """Let nothing more be written to a stdout that nobody reads, at exit neither."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(sentence: str) -> None:
    """A sentence for the person, on stderr."""
    print(harmless(as_typed(sentence)), file=sys.stderr, flush=True)


_COMMAND = re.compile(r"\bresource-airbyte (?=(?:content|manage|status|logs|info|help|test|credentials|completion)\b)")


def as_typed(text: str) -> str:
    """The text with our commands as they can be typed here: run from a clone, the program may not be on the PATH."""
    launcher = os.environ.get("AIRBYTE_LAUNCHER")
    if not launcher or "resource-airbyte " not in text or shutil.which("resource-airbyte"):
        return text
    near = os.path.relpath(launcher)
    shown = launcher if near.startswith("..") else near if os.sep in near else f"./{near}"
    return _COMMAND.sub(f"{shown} ", text)


def document(data: Any, form: str) -> str:
    """Data as JSON or YAML."""
    if form == "json":
        return json.dumps(data, indent=2, ensure_ascii=False, default=str)
    import yaml

    text: str = yaml.dump(data, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=120)
    return text.rstrip("\n")


@cache
def _dumper() -> type[yaml.SafeDumper]:
    """Writes what looks like a number to us in quotation marks; to YAML 1.1, 1e5 is none."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    number = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
    Dumper.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+0123456789"))
    return Dumper


def _parts(result: Result, form: str) -> Iterator[str]:
    if form != "text":
        yield document(result.data, form)
        return
    text: Iterable[str | Table] = [result.text] if isinstance(result.text, str | Table) else result.text
    bold = colour(sys.stdout)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for block in text:
        if isinstance(block, Table):
            yield from lines(block, width=width, bold=bold)
        else:
            yield harmless(block)
