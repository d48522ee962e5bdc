"""Saves and fits with `model_dir` in processes that are interrupted or killed at random times."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "helpers" / "stop_writers.py"
MANY = pytest.mark.slow(reason="starts and stops hundreds of processes")


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and needs the exchange of folders")
@pytest.mark.parametrize(
    ("kind", "how", "n"),
    [
        ("save", "interrupt", 10),
        ("save", "kill", 10),
        pytest.param("save", "interrupt", 300, marks=MANY),
        pytest.param("save", "kill", 120, marks=MANY),
        pytest.param("fit", "interrupt", 200, marks=MANY),
        pytest.param("fit", "kill", 80, marks=MANY),
    ],
)
def test_stopped_write_leaves_a_complete_model(kind, how, n, tmp_path):
    result = subprocess.run(
        [sys.executable, SCRIPT, tmp_path, kind, how, str(n)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{n} times stopped")
