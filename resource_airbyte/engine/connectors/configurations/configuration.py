"""A configuration held against its connector's specification, with errors that name the JSON path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import UnknownType, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from ....errors import ConnectorFailed, InvalidConfiguration
from ....model.mask import MASK
from ....model.references import references, refers, texts
from .specification import masked

LONGEST_VALUE = 80


def validate(configuration: Mapping[str, Any], specification: Mapping[str, Any], connector: str) -> None:
    """InvalidConfiguration with every fault, a line each; `specification` is the payload of a SPEC message.

    What a reference stands for is not known yet, so that it is no fault of its place. Nothing is filled in: a default
    that the specification names is the connector's own business.
    """
    schema = specification.get("connectionSpecification") or {}
    validator = _Tolerant if refers(configuration) else _Strict
    found = [*_unsound(configuration), *_faults(validator, configuration, configuration, schema, connector)]
    faults = list(dict.fromkeys(found))
    documentation = specification.get("documentationUrl")
    if faults:
        first = "the configuration does not fit" if len(faults) > 1 else ""
        raise InvalidConfiguration(
            "\n  ".join(filter(None, [first, *faults])),
            hint=f"{connector} is described at {documentation}" if documentation else None,
            details={"errors": faults},
        )


def faults_of_filled(
    configuration: Mapping[str, Any], written: Mapping[str, Any], specification: Mapping[str, Any], connector: str
) -> list[str]:
    """What does not fit of a configuration whose references have been filled in; shown as it is `written`."""
    schema = specification.get("connectionSpecification") or {}
    return list(dict.fromkeys(_faults(_Strict, configuration, written, schema, connector)))


def _unsound(configuration: Mapping[str, Any]) -> Iterator[str]:
    for path, text in texts(configuration):
        for reference in references(text):
            fault = reference.fault()
            if fault is not None:
                yield f"{path}: {reference}: {fault}; $${{{reference.scheme}:… is the text itself"


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    """As the standard says, but a pattern in another dialect (specifications are written for Java too) is no fault."""
    if not isinstance(instance, str):
        return
    try:
        matches = re.search(pattern, instance)
    except re.error:
        return
    if not matches:
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _unless_reference(keyword: str) -> Any:
    """The keyword, but a text with a reference may turn out to be anything that it asks for."""
    judge = _Strict.VALIDATORS[keyword]

    def judged(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and refers(instance):
            return
        yield from judge(validator, wanted, instance, schema)

    return judged


def _unless_inside(keyword: str, otherwise: str | None = None) -> Any:
    """The keyword, or a milder one (or none) where a reference inside may decide what it comes to."""

    def judged(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        chosen = otherwise if refers(instance) else keyword
        if chosen is not None:
            yield from _Strict.VALIDATORS[chosen](validator, wanted, instance, schema) or ()

    return judged


def _type(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """A reference stands for a text, a number or a boolean, and for nothing that has parts."""
    scalar = {"string", "integer", "number", "boolean"} & {*([wanted] if isinstance(wanted, str) else wanted)}
    if not (isinstance(instance, str) and scalar and refers(instance)):
        yield from _Strict.VALIDATORS["type"](validator, wanted, instance, schema)


_Strict = extend(Draft7Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
_JUDGING = ("enum", "const", "pattern", "minLength", "maxLength")
_Tolerant = extend(  # type: ignore[no-untyped-call]
    _Strict,
    {
        "type": _type,
        **{keyword: _unless_reference(keyword) for keyword in _JUDGING},
        "oneOf": _unless_inside("oneOf", "anyOf"),  # without the field that decides, several alternatives fit
        "not": _unless_inside("not"),
        "if": _unless_inside("if"),
    },
)


def _faults(
    kind: Any, configuration: Mapping[str, Any], written: Mapping[str, Any], schema: Mapping[str, Any], connector: str
) -> Iterator[str]:
    try:
        validator = kind(schema, registry=Registry())  # an empty registry: nothing is fetched from anywhere
        shown = masked(written, schema)
        for error in sorted(validator.iter_errors(configuration), key=lambda each: [str(part) for part in each.path]):
            for leaf in _leaves(error):
                yield f"{_path(leaf.absolute_path)}: {_message(leaf, shown)}"
    except Unresolvable as error:
        raise ConnectorFailed(
            f"the specification of {connector} refers to something outside of it: {error.ref}"
        ) from error
    except UnknownType as error:
        raise _no_schema(connector, f"there is no type {error.type!r}") from None
    except (re.error, RecursionError, TypeError, AttributeError) as error:  # what a schema without its form comes to
        raise _no_schema(connector, f"{type(error).__name__}") from None


def _no_schema(connector: str, why: str) -> ConnectorFailed:
    """Without the library's words, which quote the configuration, secrets and all."""
    return ConnectorFailed(f"the specification of {connector} is no JSON schema ({why})")


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    """The faults behind "fits none of the alternatives": those of the alternative that was meant."""
    if error.validator not in ("oneOf", "anyOf") or not error.context:
        yield error
        return
    branches: dict[Any, list[ValidationError]] = {}
    for part in error.context:
        branches.setdefault(part.schema_path[0], []).append(part)
    meant = [parts for parts in branches.values() if not any(_decides(part) for part in parts)]
    if not meant:
        yield from _choices(error, branches)
        return
    for part in min(meant, key=len):
        yield from _leaves(part)


def _decides(error: ValidationError) -> bool:
    """Whether this fault means that another alternative was meant: its fixed field has another value."""
    depth = len(error.relative_path)
    return (error.validator in ("const", "enum") and depth <= 1) or (error.validator == "type" and depth == 0)


def _choices(error: ValidationError, branches: Mapping[Any, list[ValidationError]]) -> Iterator[ValidationError]:
    """One fault for all alternatives: what the field that decides between them may be."""
    deciding = [part for parts in branches.values() for part in parts if _decides(part)]
    fields = {tuple(part.absolute_path) for part in deciding}
    values = [value for part in deciding for value in _allowed(part)]
    if len(fields) != 1 or not values:
        yield error
        return
    sample = deciding[0]
    allowed = ", ".join(dict.fromkeys(repr(value) for value in values))
    yield ValidationError(
        f"{sample.instance!r} is not one of {allowed}", path=sample.absolute_path, instance=sample.instance
    )


def _allowed(error: ValidationError) -> list[Any]:
    if error.validator == "const":
        return [error.validator_value]
    values: Any = error.validator_value
    return list(values) if error.validator == "enum" else []


def _path(parts: Iterable[Any]) -> str:
    return "configuration" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def _message(error: ValidationError, shown: Any) -> str:
    """The validator's message, without a secret and without whole objects in it."""
    for part in error.absolute_path:
        shown = MASK if shown == MASK else shown[part]
    if shown == MASK:
        instead = "the secret"
    elif isinstance(shown, dict):
        instead = "the object"
    elif isinstance(shown, list):
        instead = "the list"
    else:
        text = repr(shown)
        instead = text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
    if error.validator in ("oneOf", "anyOf"):
        return f"{instead} fits none of the alternatives"
    return error.message.replace(repr(error.instance), instead)
