"""Where a connection's tables go: as a content file says it, as Airbyte's API takes it."""

from __future__ import annotations

from difflib import SequenceMatcher

from resource_airbyte.pipelines.section import Section

KEY = "namespace"
DEFINITIONS = ("source", "destination")
# From here on a word looks like another one that was mistyped.
LIKE = 0.8


def read(section: Section) -> dict[str, str]:
    """The fields of the API's body for what stands under `namespace`; none when it is not there.

    Every other word is the name of a namespace; but one that looks like `source` or `destination` is taken for a slip,
    which would fill a schema of that name without a word.
    """
    text = section.text(KEY)
    if text is None:
        return {}
    word = text.strip().lower()
    if word in DEFINITIONS:
        return {"namespaceDefinition": word}
    for meant in DEFINITIONS:
        if SequenceMatcher(None, word, meant).ratio() >= LIKE:
            hint = f"did you mean {meant}? One really called {text!r} takes namespaceFormat of the API's own body"
            raise section.error(f"{text!r} is neither source nor destination, and too like to be a name", KEY, hint)
    return {"namespaceDefinition": "customformat", "namespaceFormat": text}
