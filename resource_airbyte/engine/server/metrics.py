"""The page that Prometheus scrapes, and what the gate hands to it."""

from __future__ import annotations

from typing import Protocol

from fastapi import APIRouter, Request, Response


class Metrics(Protocol):
    """Whoever counts."""

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is its template."""

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """What a scrape gets, and its content type."""
        ...


def routes(api: APIRouter, metrics: Metrics) -> None:
    @api.get("/metrics")
    def scrape(request: Request) -> Response:
        content, kind = metrics.page(request.headers.get("accept", ""))
        return Response(content, headers={"content-type": kind})
