"""Configurations that connectors renew themselves (rule 9), while others may change or renew them, too."""

from __future__ import annotations

from typing import Any

from . import assignment as wire


def folded(stored: dict[str, Any], known: dict[str, Any], renewed: dict[str, Any]) -> dict[str, Any]:
    """What to store when a connector that was given `known` has renewed it: just that, if `known` is what is stored.

    Else (it was a trial, or somebody changed something meanwhile) the stored configuration with every renewed part that
    both had in common.
    """
    if stored == known:
        return renewed
    parts = {name: part for name, part in renewed.items() if known.get(name) != part}
    return {**stored, **{name: part for name, part in parts.items() if stored.get(name) == known.get(name)}}


def outdated(failure: wire.Failure) -> None:
    """A source's complaint about a configuration that is another one by now: worth another attempt."""
    if failure.origin == "source" and failure.type == "config_error":
        failure.type = "transient_error"
        failure.message += " (its configuration has been renewed or changed since this attempt began)"
