"""Whether, and when, a failed job is tried again."""

from __future__ import annotations

import pytest

from resource_airbyte.engine.orchestrator.retry import Failed, Limits, delay

LIMITS = Limits((10, 30, 90, 270), successive=5, complete=10, partial=20)
WHOLE = Failed(partial=False, types=frozenset({"system_error"}))
PART = Failed(partial=True, types=frozenset({"transient_error"}))


@pytest.mark.parametrize(
    ("failed", "seconds"),
    [
        ([WHOLE], 10),
        ([WHOLE] * 2, 30),
        ([WHOLE] * 4, 270),
        ([WHOLE] * 5, None),
        ([PART], 0),
        ([PART] * 19, 0),
        ([PART] * 20, None),
        ([WHOLE, WHOLE, PART], 0),
        ([WHOLE, PART, WHOLE], 10),
        ([WHOLE, PART] * 9 + [WHOLE], None),
        ([], None),
    ],
)
def test_complete_failures_wait_longer_each_time_and_partial_ones_do_not(
    failed: list[Failed], seconds: float | None
) -> None:
    assert delay(failed, LIMITS) == seconds


@pytest.mark.parametrize("kind", ["config_error", "manual_cancellation"])
def test_what_trying_again_cannot_mend_is_not_tried_again(kind: str) -> None:
    assert delay([Failed(partial=True, types=frozenset({kind, "system_error"}))], LIMITS) is None


def test_the_last_backoff_serves_all_further_failures() -> None:
    assert delay([WHOLE] * 3, Limits((1,), successive=9, complete=9, partial=9)) == 1


def test_no_backoff_means_at_once() -> None:
    assert delay([WHOLE], Limits((), successive=2, complete=9, partial=9)) == 0
