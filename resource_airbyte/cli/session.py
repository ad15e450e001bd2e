"""What every verb gets: the settings, the runtime and the client, each made when it is first asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer

from resource_airbyte.cli.render import say

if TYPE_CHECKING:
    from resource_airbyte.client.api import Airbyte
    from resource_airbyte.runtime.base import Runtime
    from resource_airbyte.settings import Settings


class Session:
    """One run of the command line. `form` is how to print (text, json, yaml), `verb` the verb that was found so far."""

    def __init__(self) -> None:
        self.form = "text"
        self.verbose = False
        self.flags: dict[str, Any] = {}
        self.two: tuple[type[Exception], ...] = ()

    def choose(self, flags: Mapping[str, Any]) -> None:
        """Take the global flags; those that are None were not given."""
        self.flags = dict(flags)

    @cached_property
    def settings(self) -> Settings:
        from resource_airbyte.settings import Settings, mistyped

        for name, near in mistyped():
            self.say(f"warning: {name} is no setting; did you mean {near}?")
        return Settings.load(self.flags)

    @cached_property
    def runtime(self) -> Runtime:
        from resource_airbyte.runtime.choice import choose

        return choose(self.settings, report=self.say)

    @cached_property
    def client(self) -> Airbyte:
        """The API of the runtime; raises NotInstalled before an install, and does not look whether anybody answers."""
        from resource_airbyte.client.api import Airbyte

        settings = self.settings
        longest = max(settings.spec_timeout, settings.check_timeout, settings.discover_timeout)
        # The first question to a connector installs it; some time more is the server's own.
        return Airbyte(self.runtime.endpoint(), probe_timeout=settings.install_timeout + longest + 30, say=self.say)

    def variables(self) -> dict[str, str]:
        """What `${NAME}` in a content file stands for: the environment, and what the runtime has beside it."""
        return {**self.runtime.variables(), **os.environ}

    def passing(self) -> list[str]:
        """A word about schedules that end with the machine's session, if these do."""
        if self.runtime.lasting():
            return []
        word = "it does not start by itself with the machine: resource-airbyte manage install --service changes that"
        return [f"warning: schedules run only while Airbyte does, and {word}"]

    def running_client(self) -> Airbyte:
        """The client of a runtime that is installed and started for it if need be, with a word about it."""
        from resource_airbyte.errors import NotInstalled, NotRunning

        try:
            self.client.workspace_id  # noqa: B018 - the cheapest question whose answer is needed anyway
        except NotInstalled:
            self.say(self.runtime.install().message)
            self._start()
        except NotRunning:
            self._start()
        return self.client

    def _start(self) -> None:
        self.say(self.runtime.start().message)
        self.close()  # the ports may be others now

    def close(self) -> None:
        """Let go of the connection to the server, if there is one."""
        client: Airbyte | None = self.__dict__.pop("client", None)
        if client is not None:
            client.close()

    def say(self, sentence: str) -> None:
        """Tell a person what is going on; programs that read JSON or YAML are not told."""
        if self.form == "text":
            say(sentence)

    @property
    def interactive(self) -> bool:
        """Whether there is a person to ask."""
        return sys.stdin.isatty() and sys.stderr.isatty()


def of(context: typer.Context) -> Session:
    """The session of a verb's context."""
    session = context.obj
    assert isinstance(session, Session)
    return session
