"""The bearer token of the API: in a file that its owner's commands read, and in the process that asks for it."""

from __future__ import annotations

import secrets
from pathlib import Path

from resource_airbyte.engine.secrets import keyfile
from resource_airbyte.errors import DataDirUnusable


class Token:
    """The token in use, and the file that has it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        hint = "run: resource-airbyte manage install --force"
        try:
            self.text = path.read_text("ascii").strip()
        except OSError as error:
            raise DataDirUnusable(f"cannot read the token {path}: {error.strerror}", hint=hint) from error
        except UnicodeDecodeError:
            raise DataDirUnusable(f"{path} holds no token", hint=f"remove it, then {hint}") from None
        if not self.text:  # a request without a token would have the right one
            raise DataDirUnusable(f"the token {path} is empty", hint=f"remove it, then {hint}")

    def __repr__(self) -> str:
        return "Token(…)"

    def sweep(self) -> None:
        """Remove what a killed process left beside the file."""
        keyfile.sweep(self._path)

    def rotate(self) -> None:
        """Replace it; the old one opens nothing from now on. What is killed on the way has the one or the other."""
        text = secrets.token_urlsafe(32)
        keyfile.replace(self._path, text.encode() + b"\n")
        self.text = text
