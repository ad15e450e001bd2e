"""Replacing the master key, and the token of the API, without a moment at which something cannot be opened.

Of the master key: the file gets the new key before the old one; whatever is sealed from then on is sealed with the new
one; all that is stored is sealed anew in one transaction; then the file loses the old key. Killed at any moment in
between, the file has every key that is needed, and the next start brings it to its end.
"""

from __future__ import annotations

import logging
import threading

from resource_airbyte.engine.control.context import Context
from resource_airbyte.engine.secrets import Token
from resource_airbyte.engine.store import actors
from resource_airbyte.errors import DataDirUnusable, NotAvailable, ResourceError
from resource_airbyte.model.instance import KeyRotationRead

log = logging.getLogger(__name__)


class Keys:
    def __init__(self, context: Context, token: Token | None) -> None:
        self._context, self._token = context, token
        self._alone = threading.Lock()

    def rotate(self) -> KeyRotationRead:
        """Replace the master key. One that was begun and failed is brought to its end instead."""
        if not self._context.box.replaceable:
            raise NotAvailable(
                "this server gets its master key from elsewhere, and cannot replace it",
                hint="other processes open with it what it has sealed: it stays as it is for as long as they are there",
            )
        with self._alone:
            if not self._context.box.rotating():
                self._context.box.add_key()
            return self._complete()

    def finish(self) -> None:
        """Complete what a killed process has begun. A failure is no reason not to start: both keys are at hand."""
        box = self._context.box
        if not box.replaceable:
            return  # its file may be in a directory that cannot be written to
        try:
            box.sweep()
            if self._token is not None:
                self._token.sweep()
            if box.rotating():
                done = self._complete()
                log.info("brought a replacement of the master key to its end: %d configurations", done.configurations)
        except ResourceError as error:
            log.warning("cannot bring the replacement of the master key to its end: %s", error.message)

    def rotate_token(self) -> None:
        """Replace the token of the API; the old one is void when this returns."""
        if self._token is None:
            raise NotAvailable("this server has no token file", hint="replace the token where it was set")
        with self._alone:
            self._token.rotate()

    def _complete(self) -> KeyRotationRead:
        box, sealed, unreadable = self._context.box, 0, []
        with self._context.db.begin() as tx:
            for actor in actors.configured(tx):
                try:
                    actor.configuration = box.resealed(actor.configuration)
                    sealed += 1
                except DataDirUnusable:  # no key that we have opens it, so that none of them is missed
                    unreadable.append(f"{actor.kind} {actor.name}")
        box.drop_old_keys()
        for name in unreadable:
            log.warning("the configuration of %s was sealed with a key that is not here, and cannot be used", name)
        return KeyRotationRead(configurations=sealed, unreadable=unreadable)
