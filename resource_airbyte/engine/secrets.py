"""Connector configurations at rest: sealed with a key that lies outside the database."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from resource_airbyte.errors import DataDirUnusable


class Box:
    """Seals JSON values and opens them again; the key never leaves it."""

    def __init__(self, key: bytes) -> None:
        """`key` is a Fernet key: 32 bytes in URL-safe base64."""
        self._fernet = Fernet(key)
        self._pepper = hashlib.sha256(b"fingerprint:" + key).digest()

    def __repr__(self) -> str:
        return "Box(…)"

    @classmethod
    def create(cls, path: Path) -> Box:
        """A box with a new key, kept in a new file that only its owner can read; an existing file is an error."""
        key = Fernet.generate_key()
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise DataDirUnusable(f"cannot write the master key {path}: {error.strerror}") from error
        with os.fdopen(handle, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())  # a configuration sealed with a key that a power cut took away is lost
        return cls(key)

    @classmethod
    def load(cls, path: Path) -> Box:
        """The box whose key is in this file; the file must be readable by its owner alone."""
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            key = path.read_bytes().strip()
        except OSError as error:
            raise DataDirUnusable(
                f"cannot read the master key {path}: {error.strerror}",
                hint="restore it from a backup; without it the stored configurations cannot be opened",
            ) from error
        if mode & 0o077:
            raise DataDirUnusable(
                f"the master key {path} can be read by others (mode {mode:04o})", hint=f"chmod 600 {path}"
            )
        try:
            return cls(key)
        except ValueError as error:
            raise DataDirUnusable(f"{path} does not hold a master key", hint="restore it from a backup") from error

    def seal(self, value: Any) -> bytes:
        """Any JSON value, encrypted and authenticated."""
        return self._fernet.encrypt(json.dumps(value, separators=(",", ":")).encode())

    def open(self, token: bytes) -> Any:
        """The value that was sealed; DataDirUnusable when it was sealed with another key or altered."""
        try:
            return json.loads(self._fernet.decrypt(token))
        except InvalidToken as error:
            raise DataDirUnusable(
                "a stored configuration was sealed with another key than the master key in use",
                hint="restore the master key that belongs to this database, or give the configuration again",
            ) from error

    def fingerprint(self, value: Any) -> str:
        """A keyed hash: equal for equal values, and useless for guessing a secret without the key."""
        text = json.dumps(value, separators=(",", ":"), sort_keys=True)
        return hmac.new(self._pepper, text.encode(), hashlib.sha256).hexdigest()
