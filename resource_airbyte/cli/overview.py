"""The help of the program itself. It is text of its own, so that showing it needs none of the verbs."""

from __future__ import annotations

from resource_airbyte import __version__

VERBS = {
    "help": "show this overview, or the help of a verb: resource-airbyte help content add",
    "info": "what this resource is, and every setting with its origin",
    "manage": "install, uninstall, start, stop, restart, scale, doctor, prune",
    "test": "test the resource itself: smoke, unit, integration, faults, stack, all",
    "content": "sources, destinations, connections: add, list, get, remove, upgrade, discover, execute, refresh,\n"
    "               clear, state, schedule, cancel",
    "status": "is it running, is it healthy, where does it answer",
    "logs": "what the services and the jobs say",
    "credentials": "the address and the token of the API; rotate: new keys",
    "completion": "the script that lets a shell complete verbs, flags and names",
}

EXAMPLES = """\
  resource-airbyte content execute --config pipeline.yaml     move data: set up, start, create and sync in one
  resource-airbyte content list                               what there is
  resource-airbyte content execute --name orders              sync again; incremental streams read what is new
  resource-airbyte status                                     is it healthy, and where does it answer
  resource-airbyte logs --job 1                               what a sync said
  resource-airbyte manage stop                                stop the server; the next start goes on
"""


def text() -> str:
    """The overview: examples first, then verbs, then what holds when nothing is said."""
    verbs = "".join(f"  {name:<12} {sentence}\n" for name, sentence in VERBS.items())
    return (
        f"resource-airbyte {__version__}: Airbyte pipelines from files, with real connectors, without containers.\n\n"
        f"Examples:\n{EXAMPLES}\n"
        f"Usage: resource-airbyte [OPTIONS] VERB [ARGUMENTS]\n\n"
        f"Verbs:\n{verbs}\n"
        f"Options, anywhere on the line:\n"
        f"  --runtime NAME   where Airbyte runs: embedded (here, a process of its own), compose or remote\n"
        f"  --data-dir DIR   where the embedded runtime keeps its database, token and logs\n"
        f"  -h, --help       the help of a verb: resource-airbyte content execute --help\n"
        f"  --version        the version\n\n"
        f"Default configuration (change it by AIRBYTE_… variables or resource-airbyte.yaml):\n{defaults()}\n"
        f"Exit codes: 0 done, 1 failed, 2 nothing to do (already so, not found, not running), 130 interrupted.\n"
    )


def defaults() -> str:
    """The settings that most people ask for, with their defaults and variables."""
    from resource_airbyte.settings import properties

    known = properties()
    names = ("runtime", "data_dir", "webapp_port", "server_port", "temporal_port", "max_concurrent_jobs")
    rows = [(name, known[name]) for name in names if name in known]
    lines = (f"  {name:<20} {entry['default']!s:<33} {entry['env']}\n" for name, entry in rows)
    return "".join(lines) + "  every setting: resource-airbyte info --verbose\n"
