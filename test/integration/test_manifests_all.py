"""All real manifests that lie beside the checkout, through the bench that knows how many of them must answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.timeout(900)
def test_nearly_all_manifests_answer_spec_and_discover(shared: Path) -> None:
    if not (shared / "airbyte" / "manifests.tgz").is_file():
        pytest.skip("the manifests are not beside this checkout")
    argv = [sys.executable, str(REPOSITORY / "bench" / "manifests.py")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
