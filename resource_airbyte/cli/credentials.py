"""`credentials`: what a client of the API needs to know; `credentials rotate`: new secrets in place of the old."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from resource_airbyte.cli.result import Result, Table
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import application, verb
from resource_airbyte.errors import NotAvailable, NotInstalled, UsageError
from resource_airbyte.model.mask import MASK

if TYPE_CHECKING:
    from resource_airbyte.runtime.base import Credential

app = application()


def _form(context: typer.Context, value: str) -> str:
    of(context).form = "json" if value == "json" else "text"
    return value


@app.command(
    "credentials",
    cls=verb(
        """
        resource-airbyte credentials
        resource-airbyte credentials --show-secrets
        eval "$(resource-airbyte credentials --format env --show-secrets)"
        resource-airbyte credentials rotate            a new master key for what is stored
        resource-airbyte credentials rotate --token    a new token for the API
    """,
        two=(NotInstalled,),
    ),
)
def credentials(
    context: typer.Context,
    action: Annotated[
        Literal["show", "rotate"],
        typer.Argument(help="Show them, or put new secrets in place of the old ones.", show_default=False),
    ] = "show",
    form: Annotated[
        Literal["text", "json", "env"],
        typer.Option("--format", help="How to print them.", callback=_form, is_eager=True),
    ] = "text",
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Do not mask them.")] = False,
    token: Annotated[bool, typer.Option("--token", help="With rotate: the token, not the master key.")] = False,
) -> Result:
    """Show the address and the token of the API, masked unless you ask for more; or replace the secrets.

    `rotate` makes a new master key and seals all stored configurations with it, while syncs go on. Killed at any
    moment, nothing is lost: the next start brings it to its end.
    """
    if action == "rotate":
        return _rotate(of(context), token)
    if token:
        raise UsageError("--token goes with rotate", hint="resource-airbyte credentials rotate --token")
    found = of(context).runtime.credentials()
    shown = {each.name: MASK if each.secret and not show_secrets else each.value for each in found}
    hint = None if show_secrets or form != "text" else "resource-airbyte credentials --show-secrets"
    return Result(shown, _text(found, shown, form), hint=hint)


def _rotate(session: Session, token: bool) -> Result:
    if session.runtime.name == "compose":
        raise _not_in_a_stack(session, token)
    session.runtime.credentials()  # NotInstalled here, where nothing has been started yet
    client = session.running_client()
    if token:
        client.rotate_token()
        hint = "resource-airbyte credentials --show-secrets"
        return Result({"rotated": "token"}, "The token of the API is a new one; the old one is void.", hint=hint)
    done = client.rotate_master_key()
    data = {"rotated": "master_key", "configurations": done.configurations, "unreadable": done.unreadable}
    sentence = f"The master key is a new one, and {_counted(done.configurations)} sealed with it."
    lost = [
        f"{name} cannot be opened with any key that is here: give its configuration again" for name in done.unreadable
    ]
    path = session.settings.data_dir / "master.key"
    return Result(data, sentence, lost, f"back up {path} now; older copies of the database need the old key")


def _not_in_a_stack(session: Session, token: bool) -> NotAvailable:
    """Containers are given their secrets when they are made, and cannot write them."""
    path = session.settings.data_dir / "secrets" / "token"
    if not token:
        hint = "the token can be: resource-airbyte credentials rotate --token says how"
        return NotAvailable("the master key of a stack cannot be rotated.", hint=hint)
    return NotAvailable(
        "the token of a stack is not rotated while it runs.",
        hint=f"resource-airbyte manage stop; rm {path}; resource-airbyte manage install --force; "
        "resource-airbyte manage start",
    )


def _counted(count: int) -> str:
    return "one configuration is" if count == 1 else f"{count or 'no'} configurations are"


def _text(found: tuple[Credential, ...], shown: dict[str, str], form: str) -> str | Table:
    if form == "env":
        return "\n".join(f"export {each.variable}={shlex.quote(shown[each.name])}" for each in found)
    return Table(("name", "value", "what it is"), [(each.name, shown[each.name], each.sentence) for each in found])
