"""From an exception to what a person reads and the exit code.

In text, an error is `error: what` and `hint: the next command` on stderr. With `--format json` or `yaml` it is a
document `{"error": {"code", "message", "hint", "details"}}` on stderr, and stdout stays empty: whatever stdout holds is
data.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import traceback
from typing import Any

import typer

from resource_airbyte.cli.render import as_typed, document, say
from resource_airbyte.cli.session import Session
from resource_airbyte.errors import ResourceError, UsageError

# pydantic and others quote the value that they did not like; it may be a secret.
_QUOTED = re.compile(r"input_value=.*?, input_type", re.DOTALL)


def fail(error: ResourceError, session: Session) -> int:
    """Report an error of ours and return its exit code: 2 only where the contract lets this verb say so."""
    if session.form == "text":
        say(f"error: {error.message}")
        if error.hint:
            say(f"hint: {error.hint}")
        for key, value in error.details.items() if session.verbose else ():
            say(f"{key}: {value}")
    else:
        hint = as_typed(error.hint) if error.hint else None
        body = {"code": error.code, "message": error.message, "hint": hint, "details": error.details}
        shown = {key: value for key, value in body.items() if value}
        print(document({"error": shown}, session.form), file=sys.stderr)
    return error.exit_code if error.exit_code != 2 or isinstance(error, session.two) else 1


def usage(error: typer.TyperException) -> UsageError:
    """What the parser did not like, as an error of ours."""
    from resource_airbyte.pipelines.near import did_you_mean

    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "resource-airbyte"
    hint = f"{path} --help" if context is not None else "resource-airbyte help"
    name = getattr(error, "option_name", None)
    parameters = context.command.get_params(context) if context is not None else []
    options = [option for each in parameters for option in (*each.opts, *each.secondary_opts)]
    if name is not None and "No such option" in error.message:
        close = did_you_mean(name, [*options, *GLOBAL_FLAGS])
        return UsageError(f"{path} has no option {name}", hint=close or hint)
    message = _plain(error.format_message())
    extra = re.search(r"unexpected extra argument(?:s|\(s\))? \((.*)\)", message)
    if extra and "--name" in options:
        hint = f"{path} --name {extra[1]}"
    return UsageError(message[:1].lower() + message[1:], hint=hint)


def _plain(message: str) -> str:
    """The parser's message on one line, in words for a person rather than for a programmer."""
    message = " ".join(message.replace("Value error, ", "").split()).rstrip(".,").replace("Choose from: ", "one of: ")
    for pattern, words in _PLAIN:
        message = re.sub(pattern, words, message)
    return message


_PLAIN = (
    (r"Input should be a valid integer.*", "this is not a whole number"),
    (r"Input should be a valid number.*", "this is not a number"),
    (r"Input should be greater than or equal to ", "it must be at least "),
    (r"Input should be less than or equal to ", "it must be at most "),
)
GLOBAL_FLAGS = ("--runtime", "--data-dir")


def unexpected(error: BaseException) -> int:
    """A mistake of ours: say so briefly, and keep the traceback where it can be read. The exit code is 1."""
    text = _QUOTED.sub("input_value=…, input_type", "".join(traceback.format_exception(error)))
    said = _QUOTED.sub("input_value=…, input_type", str(error)).strip().splitlines()
    what = f"{type(error).__name__}{': ' + said[0] if said else ''}"
    say(f"error: something unexpected went wrong ({what})")
    try:
        handle, path = tempfile.mkstemp(prefix="resource-airbyte-", suffix=".txt")  # readable by its owner alone
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        say(f"hint: the traceback is in {path}")
    except OSError as full:
        say(f"hint: the traceback could not be written ({full.strerror}); --verbose prints it")
    return 1


def form_of(arguments: list[str]) -> Any:
    """The form that the arguments ask for, before anybody has parsed them."""
    for index, word in enumerate(arguments):
        value = word.partition("=")[2] or (arguments[index + 1] if index + 1 < len(arguments) else "")
        if word.partition("=")[0] == "--format" and value in ("json", "yaml"):
            return value
    return "json" if "--json" in arguments else "text"
