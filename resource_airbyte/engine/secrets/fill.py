"""Filling in the references of a configuration, just before its connector is started (rule 7 of the data)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from resource_airbyte.engine.secrets.sources import Unavailable, look_up
from resource_airbyte.errors import ReferenceFailed
from resource_airbyte.model.references import Reference, filled, literal, references, texts

_NOTHING = object()
_NO_SECRETS = ("", "true", "false")  # taking these out of a log would leave nothing of it


@dataclass(frozen=True)
class Filled:
    """A configuration as it is `written` and stored, and as its connector gets it.

    `secrets` are the values that were filled in; `warnings` are sentences for a log.
    """

    written: dict[str, Any]
    configuration: dict[str, Any] = field(repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    warnings: tuple[str, ...] = ()

    def kept(self, renewed: dict[str, Any]) -> dict[str, Any]:
        """What to store when the connector asks to keep this configuration: unchanged values stay references (rule 9).

        A text that only looks like a reference is stored as text: a connector may not have anything filled in.
        """
        kept: dict[str, Any] = _kept(renewed, self.written, self.configuration)
        return kept


def fill(written: dict[str, Any], *, origin: str | None = None, environ: Mapping[str, str] | None = None) -> Filled:
    """Look up every reference, anew each time. ReferenceFailed names all that cannot be filled in, with their fields.

    `origin` (source or destination) is whose configuration it is.
    """
    found, warnings, faults = _look_up(written, os.environ if environ is None else environ)
    if faults:
        lines = [f"{path} refers to {reference}, but {fault.why}" for path, reference, fault in faults]
        raise ReferenceFailed(
            "\n  ".join(lines),
            hint=faults[0][2].hint,
            details={"references": [str(reference) for _, reference, _ in faults]},
            failure_type="config_error",
            origin=origin,
        )
    secrets = frozenset(value for value in found.values() if value.lower() not in _NO_SECRETS)
    return Filled(written, _with(written, found), secrets, tuple(dict.fromkeys(warnings)))


def _look_up(
    written: dict[str, Any], environ: Mapping[str, str]
) -> tuple[dict[Reference, str], list[str], list[tuple[str, Reference, Unavailable]]]:
    found: dict[Reference, str] = {}
    warnings: list[str] = []
    faults: list[tuple[str, Reference, Unavailable]] = []
    for path, text in texts(written):
        for reference in references(text):
            if reference in found:
                continue
            try:
                answer = _sound(reference, environ)
            except Unavailable as fault:
                faults.append((path, reference, fault))
                continue
            found[reference] = answer.value
            warnings += [f"{path} refers to {reference}: {answer.warning}"] if answer.warning else []
    return found, warnings, faults


def _sound(reference: Reference, environ: Mapping[str, str]) -> Any:
    fault = reference.fault()
    if fault is not None:
        raise Unavailable(fault, f"write $${{{reference.scheme}:… if it is meant as text")
    return look_up(reference, environ)


def _with(value: Any, found: Mapping[Reference, str]) -> Any:
    if isinstance(value, str):
        return filled(value, found.__getitem__)
    if isinstance(value, dict):
        return {name: _with(part, found) for name, part in value.items()}
    return [_with(part, found) for part in value] if isinstance(value, list) else value


def _kept(renewed: Any, written: Any, given: Any) -> Any:
    """`given` is what the connector was given at this place for what is `written` there."""
    if given is not _NOTHING and _same(renewed, given):
        return written
    if isinstance(renewed, dict):
        old, had = (each if isinstance(each, dict) else {} for each in (written, given))
        return {name: _kept(part, old.get(name), had.get(name, _NOTHING)) for name, part in renewed.items()}
    if isinstance(renewed, list):
        olds, hads = (each if isinstance(each, list) else [] for each in (written, given))
        places = [(olds[at], hads[at]) if at < len(hads) else (None, _NOTHING) for at in range(len(renewed))]
        return [_kept(part, *place) for part, place in zip(renewed, places, strict=True)]
    return literal(renewed) if isinstance(renewed, str) else renewed


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON; to Python, 1 and true are equal."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
