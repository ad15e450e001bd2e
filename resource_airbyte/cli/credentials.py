"""`credentials`: what a client of the API needs to know."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from resource_airbyte.cli.result import Result, Table
from resource_airbyte.cli.session import of
from resource_airbyte.cli.tree import application, verb
from resource_airbyte.errors import NotInstalled
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
    """,
        two=(NotInstalled,),
    ),
)
def credentials(
    context: typer.Context,
    form: Annotated[
        Literal["text", "json", "env"],
        typer.Option("--format", help="How to print them.", callback=_form, is_eager=True),
    ] = "text",
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Do not mask them.")] = False,
) -> Result:
    """Show the address and the token of the API, masked unless you ask for more."""
    found = of(context).runtime.credentials()
    shown = {each.name: MASK if each.secret and not show_secrets else each.value for each in found}
    hint = None if show_secrets or form != "text" else "resource-airbyte credentials --show-secrets"
    return Result(shown, _text(found, shown, form), hint=hint)


def _text(found: tuple[Credential, ...], shown: dict[str, str], form: str) -> str | Table:
    if form == "env":
        return "\n".join(f"export {each.variable}={shlex.quote(shown[each.name])}" for each in found)
    return Table(("name", "value", "what it is"), [(each.name, shown[each.name], each.sentence) for each in found])
