"""Connector configurations at rest: sealed with a key that lies outside the database."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from resource_airbyte.engine.secrets import keyfile
from resource_airbyte.errors import DataDirUnusable


class Box:
    """Seals JSON values and opens them again; the keys never leave it.

    The first key seals. The others open what was sealed before the key was changed; the file keeps them until nothing
    is left of that, and this object keeps them for as long as it lives, for what is under way.
    """

    def __init__(self, *keys: bytes, path: Path | None = None, replaceable: bool = True) -> None:
        """Each of `keys` is a Fernet key: 32 bytes in URL-safe base64. `path` is the file that holds them;
        `replaceable` says whether that is ours to change.
        """
        self._path, self.replaceable = path, replaceable
        self._use(keys)

    def _use(self, keys: tuple[bytes, ...]) -> None:
        self._keys = keys
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._pepper = hashlib.sha256(b"fingerprint:" + keys[0]).digest()

    def __repr__(self) -> str:
        return "Box(…)"

    @classmethod
    def create(cls, path: Path) -> Box:
        """A box with a new key, kept in a new file that only its owner can read; an existing file is an error."""
        key = Fernet.generate_key()
        keyfile.create(path, key)
        return cls(key, path=path)

    @classmethod
    def load(cls, path: Path, *, replaceable: bool = True) -> Box:
        """The box whose keys are in this file; the file must be readable by its owner alone."""
        try:
            return cls(*keyfile.load(path), path=path, replaceable=replaceable)
        except ValueError as error:
            raise DataDirUnusable(f"{path} does not hold a master key", hint="restore it from a backup") from error

    def rotating(self) -> bool:
        """Whether the file holds an old key: a rotation has begun and has not come to its end."""
        return self._path is not None and len(keyfile.load(self._path)) > 1

    def add_key(self) -> None:
        """Begin a rotation: from now on a new key seals. It is in the file, before the old one, when this returns."""
        assert self._path is not None
        key = Fernet.generate_key()
        keyfile.replace(self._path, b"\n".join((key, *self._keys)))
        self._use((key, *self._keys))

    def drop_old_keys(self) -> None:
        """End a rotation: whoever opens the file from now on has the new key alone."""
        assert self._path is not None
        keyfile.replace(self._path, self._keys[0])

    def sweep(self) -> None:
        """Remove what a killed process left beside the file."""
        if self._path is not None:
            keyfile.sweep(self._path)

    def resealed(self, token: bytes) -> bytes:
        """The same value, sealed with the key in use; DataDirUnusable as for `open`."""
        try:
            return self._fernet.rotate(token)
        except InvalidToken as error:
            raise _foreign() from error

    def seal(self, value: Any) -> bytes:
        """Any JSON value, encrypted and authenticated."""
        return self._fernet.encrypt(json.dumps(value, separators=(",", ":")).encode())

    def open(self, token: bytes) -> Any:
        """The value that was sealed; DataDirUnusable when it was sealed with another key or altered."""
        try:
            return json.loads(self._fernet.decrypt(token))
        except InvalidToken as error:
            raise _foreign() from error

    def fingerprint(self, value: Any) -> str:
        """A keyed hash: equal for equal values, and useless for guessing a secret without the key."""
        text = json.dumps(value, separators=(",", ":"), sort_keys=True)
        return hmac.new(self._pepper, text.encode(), hashlib.sha256).hexdigest()


def _foreign() -> DataDirUnusable:
    return DataDirUnusable(
        "a stored configuration was sealed with another key than the master key in use",
        hint="restore the master key that belongs to this database, or give the configuration again",
    )
