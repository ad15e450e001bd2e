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
        try:
            self.text = path.read_text("ascii").strip()
        except OSError as error:
            hint = "run: resource-airbyte manage install --force"
            raise DataDirUnusable(f"cannot read the token {path}: {error.strerror}", hint=hint) from error

    def __repr__(self) -> str:
        return "Token(…)"

    def rotate(self) -> None:
        """Replace it; the old one opens nothing from now on. What is killed on the way has the one or the other."""
        text = secrets.token_urlsafe(32)
        keyfile.replace(self._path, text.encode() + b"\n")
        self.text = text
