"""The way to Temporal: a client, and the namespace that everything of ours lies in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RetryConfig, RPCError, RPCStatusCode

KEEP = timedelta(days=3)  # how long Temporal shows what has ended
# Milliseconds between the tries of one call: whoever waits for it is to hear soon that Temporal is away.
TRIES = RetryConfig(initial_interval_millis=100, max_interval_millis=1000, max_elapsed_time_millis=4000, max_retries=6)
AGAIN = 1.0  # seconds between two tries to connect
TIMEOUT = timedelta(seconds=10)  # of one call
LOOKS, LOOK = 150, 0.2  # how often, and after how many seconds, one looks whether a new namespace can be worked in
log = logging.getLogger("worker")


async def connect(address: str, namespace: str, *, lazy: bool = False) -> Client:
    """A client. `lazy`: without a word to Temporal before the first call; without, RuntimeError when it is away."""
    return await Client.connect(address, namespace=namespace, lazy=lazy, retry_config=TRIES)


async def connect_at_last(address: str, namespace: str) -> Client:
    """A client of a namespace that is there, however long it takes until Temporal is."""
    told = False
    while True:
        try:
            client = await connect(address, namespace)
            await ensure_namespace(client)
            return client
        except (RPCError, RuntimeError) as error:
            if not told:
                log.warning("waiting for Temporal at %s: %s", address, error)
            told = True
        await asyncio.sleep(AGAIN)  # between two tries: it tells nobody when it is there


async def ensure_namespace(client: Client) -> None:
    """Make the namespace unless it is there, and wait until it can be worked in."""
    if await _has_namespace(client):
        return
    wanted = RegisterNamespaceRequest(namespace=client.namespace)
    wanted.workflow_execution_retention_period.FromTimedelta(KEEP)
    try:
        await client.workflow_service.register_namespace(wanted, timeout=TIMEOUT)
    except RPCError as error:
        if error.status != RPCStatusCode.ALREADY_EXISTS:
            raise
    for _ in range(LOOKS):
        if await _found(client.count_workflows(rpc_timeout=TIMEOUT)):
            return
        await asyncio.sleep(LOOK)  # its servers hear of a new one only after a while, and tell nobody


async def _has_namespace(client: Client) -> bool:
    asked = DescribeNamespaceRequest(namespace=client.namespace)
    return await _found(client.workflow_service.describe_namespace(asked, timeout=TIMEOUT))


async def _found(question: Awaitable[Any]) -> bool:
    try:
        await question
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True
