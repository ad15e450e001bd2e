"""`manage`: the life of the runtime."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resource_airbyte.cli import ask
from resource_airbyte.cli import doctor as examining
from resource_airbyte.cli import prune as pruning
from resource_airbyte.cli.result import ALREADY, Result
from resource_airbyte.cli.session import Session, of
from resource_airbyte.cli.tree import PROGRAM, Force, Format, application, group, verb
from resource_airbyte.errors import NotInstalled, NotRunning

if TYPE_CHECKING:
    from resource_airbyte.runtime.base import Outcome

app = application(
    group("""
        resource-airbyte manage install
        resource-airbyte manage start
        resource-airbyte manage stop
    """),
    help="Install, uninstall, start and stop the runtime.",
)

LONGEST = 1e6  # seconds: days, and nothing that a clock cannot count
Timeout = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", min=0.0, max=LONGEST, help="How long to wait.")
]


def _result(outcome: Outcome) -> Result:
    data = {"message": outcome.message, "changed": outcome.changed, **outcome.details}
    return Result(data, outcome.message, hint=outcome.hint, code=0 if outcome.changed else ALREADY)


@app.command(
    "install",
    cls=verb("""
        resource-airbyte manage install
        resource-airbyte manage install --link        and put the command on your PATH
        resource-airbyte manage install --force       repair an installation, its data stays
        resource-airbyte manage install --service     and start it with the machine's session
        resource-airbyte manage install --runtime compose     as a stack of containers
    """),
)
def install(
    context: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Repair what is installed; data stays.")] = False,
    skip_validation: Annotated[bool, typer.Option("--skip-validation", help="Do not look at ports and disk.")] = False,
    link: Annotated[
        bool | None, typer.Option("--link/--no-link", help=f"Put the command {PROGRAM} on the PATH, or do not ask.")
    ] = None,
    service: Annotated[
        bool, typer.Option("--service", help="Have it start with the machine's session (systemd, launchd).")
    ] = False,
    form: Format = "text",
) -> Result:
    """Make everything that a start needs: the data directory, the database, the key and the token."""
    session = of(context)
    path = _link(session, link)
    outcome = session.runtime.install(force=force, skip_validation=skip_validation, link=path, service=service)
    result = _result(outcome)
    if path is not None and outcome.changed and str(path.parent) not in os.environ.get("PATH", "").split(os.pathsep):
        return Result(
            result.data, result.text, (f'add it to your PATH: export PATH="{path.parent}:$PATH"',), result.hint
        )
    return result


def _link(session: Session, wanted: bool | None) -> Path | None:
    """Where to put the launcher, if it is wanted. Asked on a terminal, when the command is not there already."""
    directory = Path("/usr/local/bin") if os.geteuid() == 0 else Path.home() / ".local" / "bin"
    if wanted is None:
        askable = session.interactive and shutil.which(PROGRAM) is None and not _installed(session)
        wanted = askable and ask.yes(f"Put the command {PROGRAM} into {directory}? [Y/n] ", default=True)
    return directory / PROGRAM if wanted else None


def _installed(session: Session) -> bool:
    return session.runtime.status().installed


@app.command(
    "uninstall",
    cls=verb(
        """
        resource-airbyte manage uninstall
        resource-airbyte manage uninstall --keep-data     keep the database and the keys
    """,
        two=(NotInstalled,),
    ),
)
def uninstall(
    context: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Do not ask, and stop it first if it runs.")] = False,
    keep_data: Annotated[bool, typer.Option("--keep-data", help="Keep the database, the key and the logs.")] = False,
    form: Format = "text",
) -> Result:
    """Remove what install made, and nothing else: the files of destinations stay."""
    session = of(context)
    if _installed(session):
        what = "the runtime" if keep_data else f"the runtime and all its data in {session.settings.data_dir}"
        ask.confirm(session, f"Remove {what}?", force=force)
    return _result(session.runtime.uninstall(force=force, keep_data=keep_data))


@app.command(
    "start",
    cls=verb("""
        resource-airbyte manage start
        resource-airbyte manage start --timeout 120
    """),
)
def start(
    context: typer.Context,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Return when it is healthy, or at once.")] = True,
    timeout: Timeout = None,
    form: Format = "text",
) -> Result:
    """Start the runtime and wait until it is healthy."""
    return _result(of(context).runtime.start(wait=wait, timeout=timeout))


@app.command(
    "stop",
    cls=verb(
        """
        resource-airbyte manage stop
        resource-airbyte manage stop --timeout 5
    """,
        two=(NotRunning, NotInstalled),
    ),
)
def stop(
    context: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Kill running syncs at once.")] = False,
    timeout: Timeout = None,
    form: Format = "text",
) -> Result:
    """Stop the runtime. Running syncs end at their next checkpoint; the next start goes on with them."""
    return _result(of(context).runtime.stop(force=force, timeout=timeout))


@app.command("restart", cls=verb("resource-airbyte manage restart"))
def restart(context: typer.Context, force: Force = False, form: Format = "text") -> Result:
    """Stop the runtime if it runs, then start it."""
    result = _result(of(context).runtime.restart(force=force))
    return Result(result.data, result.text, result.messages, result.hint)


@app.command(
    "scale",
    cls=verb("resource-airbyte manage scale --workers 2", two=(NotInstalled,)),
)
def scale(
    context: typer.Context,
    workers: Annotated[int, typer.Option("--workers", metavar="N", min=1, max=100, help="How many there should be.")],
    form: Format = "text",
) -> Result:
    """Have so many workers run the jobs (compose), now and at every start. Exit code 2: it has so many already."""
    return _result(of(context).runtime.scale(workers))


app.command("doctor", cls=verb(examining.EXAMPLES))(examining.doctor)
app.command("prune", cls=verb(pruning.EXAMPLES))(pruning.prune)
