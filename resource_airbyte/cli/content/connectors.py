"""`content list --type connectors`: every connector that is known, and which of them can run here."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resource_airbyte.cli.result import Result, Table
from resource_airbyte.cli.session import Session
from resource_airbyte.errors import NotFound, NotInstalled, NotRunning, RegistryUnreachable

if TYPE_CHECKING:
    from resource_airbyte.model.versions import RegistryRead

Row = dict[str, Any]
LISTING = "resource-airbyte content list --type connectors"
# How a launcher is called by people, and by what words it may be asked for.
LAUNCHERS = {
    "native": ("built in", ("native", "built-in", "builtin")),
    "venv": ("Python package", ("python", "venv", "pypi")),
    "manifest": ("YAML manifest", ("manifest", "yaml", "low-code")),
    "command": ("program", ("program", "command")),
    "docker": ("container image", ("image", "docker", "container")),
}
EXAMPLES = "postgres, 'source-g*', 'destination native', 'source manifest certified', installed, custom or all"
_FIND = f"find some: {LISTING} --filter WORDS, such as {EXAMPLES}"


@dataclass(frozen=True)
class Known:
    """What is known: the definitions by kind, and since when. `registry` is None where nobody keeps one."""

    definitions: Mapping[str, Sequence[Any]]
    registry: RegistryRead | None


def listed(session: Session, filter: str | None, *, refresh: bool = False) -> Result:
    """Those that fit the filter; without one, how many there are of which sort."""
    known = _known(session, refresh)
    rows = [_row(side, each) for side in ("source", "destination") for each in known.definitions[side]]
    rows.sort(key=lambda row: (row["runs_here"] is False, row["type"] != "source", row["connector"]))
    chosen = [row for row in rows if fits(row, filter)]
    data = {"connectors": chosen, "facts": known.registry.wire() if known.registry else None}
    data = {key: value for key, value in data.items() if value is not None}
    if not chosen:
        return Result(data, messages=("no connectors match",), hint=_FIND)
    if filter is None and len(rows) > 60:
        return _summary(rows, data, known)
    return Result(data, [*_table(chosen)])


def fits(row: Row, wanted: str | None) -> bool:
    """Whether a connector fits every word: part of its names, a pattern of them, or a word for what it is."""
    return all(_fits(row, word) for word in (wanted or "").casefold().split())


def _fits(row: Row, word: str) -> bool:
    names = [row["connector"].casefold(), row["name"].casefold()]
    if any(sign in word for sign in "*?["):
        return any(fnmatch.fnmatchcase(name, word) for name in names)
    test = _WORDS.get(word)  # not both: who asks for custom ones does not mean Customer.io
    return test(row) if test is not None else any(word in name for name in names)


def _is(key: str, value: Any) -> Callable[[Row], bool]:
    return lambda row: row[key] == value


_WORDS: dict[str, Callable[[Row], bool]] = {
    "all": lambda row: True,
    **{f"{side}{ending}": _is("type", side) for side in ("source", "destination") for ending in ("", "s")},
    **{word: _is("launcher", name) for name, (_, words) in LAUNCHERS.items() for word in words},
    **{level: _is("support_level", level) for level in ("certified", "community", "archived")},
    **{word: _is("custom", True) for word in ("custom", "own")},
    **{word: _is("runs_here", True) for word in ("runnable", "runs")},
    "installed": lambda row: bool(row["installed"]),
}


def _known(session: Session, refresh: bool) -> Known:
    """From the server; where none runs, from what this machine knows, without starting one."""
    try:
        client = session.client
        registry = _registry(session, refresh)
        sides = {"source": client.source_definitions.list(), "destination": client.destination_definitions.list()}
        return Known(sides, registry)
    except (NotInstalled, NotRunning):
        if session.settings.runtime != "embedded":
            raise
    from resource_airbyte.runtime import offline

    found = offline.connectors(session.settings, refresh=refresh)
    if refresh:
        session.say(_news(found.registry) if found.error is None else found.error)
    return Known(found.definitions, found.registry)


def _registry(session: Session, refresh: bool) -> RegistryRead | None:
    try:
        if refresh:
            try:
                read = session.client.registry.refresh()
                session.say(_news(read))
                return read
            except RegistryUnreachable as error:  # the list is of use all the same
                session.say(error.message)
        return session.client.registry.get()
    except NotFound:
        return None  # an Airbyte that is not ours keeps its facts to itself


def _news(read: RegistryRead) -> str:
    """What a refresh brought, as a sentence."""
    new, newer = len(read.new or ()), len(read.newer or ())
    left = f"; {read.left_out} entries could not be read" if read.left_out else ""
    return f"facts as of {read.as_of}: {new} new connectors, {newer} newer versions{left}"


def _row(side: str, definition: Any) -> Row:
    from resource_airbyte.pipelines.own import short

    called = short(definition.docker_repository)
    if definition.custom and "://" not in definition.name:
        called = definition.name  # its repository may be that of a public connector, which goes by that name
    return {
        "connector": called,
        "name": definition.name,
        "type": side,
        "version": definition.docker_image_tag,
        "support_level": definition.support_level,
        "launcher": definition.launcher,
        "runs_here": definition.runnable,
        "why_not": definition.why_not,
        "installed": definition.installed or [],
        "custom": bool(definition.custom),
        "repository": definition.docker_repository,
        "id": definition.definition_id,
    }


def _table(rows: Sequence[Row]) -> Iterator[str | Table]:
    """The connectors, and beneath them why some cannot run: many for the same reason."""
    reasons = list(dict.fromkeys(row["why_not"] for row in rows if row["why_not"]))
    columns = ["connector", "version", "support", "runs here", "installed", "name"]
    shown = [_cells(row, reasons) for row in rows]
    if not any(cells[4] for cells in shown):
        columns, shown = [*columns[:4], "name"], [[*cells[:4], cells[5]] for cells in shown]
    yield Table(columns, shown, spare=("name",))
    if reasons:
        yield ""
        yield from (f"({number}) {reason}" for number, reason in enumerate(reasons, 1))


def _cells(row: Row, reasons: list[str]) -> list[Any]:
    how = LAUNCHERS.get(row["launcher"], (row["launcher"] or "yes", ()))[0]
    runs = f"no ({reasons.index(row['why_not']) + 1})" if row["why_not"] else how
    versions = row["installed"]
    installed = f"{versions[0]} and {len(versions) - 1} more" if len(versions) > 2 else ", ".join(versions)
    level = "your own" if row["custom"] else row["support_level"]
    return [row["connector"], row["version"], level, runs, installed, row["name"]]


def _summary(rows: Sequence[Row], data: dict[str, Any], known: Known) -> Result:
    """How many there are of which sort; of what comes with the program, and of the user's own, each one."""
    total = Counter((row["type"], row["launcher"]) for row in rows)
    here = Counter((row["type"], row["launcher"]) for row in rows if row["runs_here"] is not False)
    order = sorted(total, key=lambda each: (each[0] != "source", -here[each], -total[each]))
    words = {name: word for name, (word, _) in LAUNCHERS.items()}
    counts = [[side, words.get(how, how), total[side, how], here[side, how]] for side, how in order]
    near = [row for row in rows if row["launcher"] == "native" or row["custom"]]
    text: list[str | Table] = [Table(["kind", "published as", "connectors", "run here"], counts)]
    if near:
        text += ["", *_table(near)]
    since = f", as of {known.registry.as_of}" if known.registry else ""
    failed = known.registry and known.registry.error
    messages = [f"{len(rows)} connectors are known{since}; {sum(here.values())} of them can run here"]
    messages += [f"the registry could not be asked for newer ones: {failed}"] if failed else []
    return Result(data, text, messages, hint=_FIND)
