"""How a secret is shown, and by which names secrets go where no specification marks them."""

from __future__ import annotations

import re

# What Airbyte's API puts in a secret's place, and takes back as "unchanged".
MASK = "**********"
_NAMES = re.compile(
    r"pass(word|wd|phrase)|^pwd$|secret|token|credential|service_account|"
    r"(api|access|private|account|encryption|auth|signing|license)[_-]?key|^key$|(connection|conn)[_-]?str",
    re.IGNORECASE,
)


def names_secret(name: str) -> bool:
    """Whether a field of this name holds a secret, as far as its name can tell."""
    return _NAMES.search(name) is not None
