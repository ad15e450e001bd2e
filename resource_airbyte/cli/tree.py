"""Groups that load a verb's module when it is called, verbs whose help leads with examples, and the common options."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, ClassVar, Literal

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from resource_airbyte.cli.render import as_typed
from resource_airbyte.cli.session import Session, of
from resource_airbyte.errors import UsageError

PROGRAM = "resource-airbyte"
# Set by the completion script of a shell when it asks.
COMPLETE = "_RESOURCE_AIRBYTE_COMPLETE"


def _remember_form(context: typer.Context, value: str) -> str:
    of(context).form = value if value in ("json", "yaml") else "text"
    return value


def _remember_verbose(context: typer.Context, value: bool) -> bool:
    session = of(context)
    session.verbose = session.verbose or value
    return value


Format = Annotated[
    Literal["text", "json", "yaml"],
    typer.Option("--format", help="How to print the result.", callback=_remember_form, is_eager=True),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show more.", callback=_remember_verbose)]
Force = Annotated[bool, typer.Option("--force", help="Do it without being asked.")]


class Verb(TyperCommand):
    """A command. `examples` are lines as a person types them; `two` the errors that the contract gives exit code 2."""

    examples: ClassVar[str] = ""
    two: ClassVar[tuple[type[Exception], ...]] = ()

    def invoke(self, ctx: Any) -> Any:
        of(ctx).two = self.two
        return super().invoke(ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _format_help(self, ctx, formatter, self.examples)

    def get_help(self, ctx: Any) -> str:
        return as_typed(super().get_help(ctx))


def verb(examples: str, *, two: tuple[type[Exception], ...] = ()) -> type[Verb]:
    """The class of one verb."""
    return type("Verb", (Verb,), {"examples": inspect.cleandoc(examples), "two": two})


class Group(TyperGroup):
    """A group of verbs. `lazy` maps a verb to the module whose `app` has it, and to its sentence for the overview."""

    examples: ClassVar[str] = ""
    lazy: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in self.lazy and cmd_name not in self.commands:
            module = import_module(self.lazy[cmd_name][0])
            self.commands[cmd_name] = get_command(module.app)
            self.commands[cmd_name].name = cmd_name
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and self.get_command(ctx, name) is None:
            raise self._unknown(ctx, name)
        return super().resolve_command(ctx, args)

    def _unknown(self, ctx: Any, name: str) -> UsageError:
        from resource_airbyte.pipelines.near import did_you_mean

        verbs = list(self.lazy) or list(self.commands)
        hint = did_you_mean(name, verbs) or f"the verbs are: {', '.join(verbs)}"
        return UsageError(f"{ctx.command_path} has no verb {name!r}", hint=hint)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing and ctx.parent is not None:
            verbs = ", ".join(self.lazy or self.commands)
            raise UsageError(f"{ctx.command_path} needs a verb", hint=f"one of: {verbs}")
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _format_help(self, ctx, formatter, self.examples)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The first sentence of each verb, whole."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, (command.help or "").partition(". ")[0].rstrip(".")) for name, command in found])

    def get_help(self, ctx: Any) -> str:
        return as_typed(super().get_help(ctx))


def group(examples: str) -> type[Group]:
    """The class of one group."""
    return type("Group", (Group,), {"examples": inspect.cleandoc(examples)})


def application(cls: type[Group] | None = None, help: str | None = None) -> typer.Typer:
    """A Typer application without decoration: rich is not imported, errors come to `main`."""
    return typer.Typer(
        cls=cls,
        help=help,
        add_completion=COMPLETE in os.environ,  # else two options that `completion` makes superfluous, and slow imports
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )


def _format_help(command: Any, ctx: Any, formatter: Any, examples: str) -> None:
    formatter.write(inspect.cleandoc(command.help or "") + "\n")
    if examples:
        formatter.write("\nExamples:\n" + "".join(f"  {line}\n" for line in examples.splitlines()))
    formatter.write_paragraph()
    command.format_usage(ctx, formatter)
    command.format_options(ctx, formatter)


__all__ = [
    "COMPLETE",
    "PROGRAM",
    "Force",
    "Format",
    "Group",
    "Session",
    "Verb",
    "Verbose",
    "application",
    "group",
    "of",
    "verb",
]
