"""compare.py measures two numbers of threads, and targets.py prints a table of its results."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"

pytestmark = [
    pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="the benchmarks are not in this checkout"),
    pytest.mark.slow(reason="a benchmark in several processes"),
]


def run(script, *arguments, folder):
    return subprocess.run(
        [sys.executable, BENCHMARKS / script, *arguments],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    sizes = ["--generate", "300", "50", "200", "60"]
    options = ["--peers", "skxmr", "--own-threads", "2", "--repeat", "2", "--output", "a.json"]
    process = run("compare.py", *sizes, *options, folder=folder)
    assert process.returncode == 0, process.stderr
    return folder, json.loads((folder / "a.json").read_text())


def test_compare_measures_both_numbers_of_threads(comparison):
    _, result = comparison
    assert list(result["peers"]) == ["skxmr", "skxmr, 2 threads"]
    one, two = result["peers"].values()
    assert len(one["turns"]) == len(two["turns"]) == 2
    # The number of threads affects only times.
    for key in ("p_at_1", "p_at_3", "p_at_5", "model_mb"):
        assert one["summary"][key] == two["summary"][key]
    assert two["ratios"]["fit_wall_s"] == pytest.approx(
        two["summary"]["fit_wall_s"] / one["summary"]["fit_wall_s"]
    )


def test_targets_mark_reached_aims_and_missed_floors(comparison):
    folder, result = comparison
    skxmr = dict(result["peers"]["skxmr"]["summary"], fit_cpu_s=2.0, fit_wall_s=2.0, model_mb=3.0)
    pecos = {"summary": dict(skxmr, fit_cpu_s=10.0, model_mb=6.0)}
    two_threads = {"summary": dict(skxmr, fit_wall_s=1.1)}
    peers = {"skxmr": {"summary": skxmr}, "pecos": pecos, "skxmr, 2 threads": two_threads}
    (folder / "b.json").write_text(json.dumps({**result, "peers": peers}))
    process = run("targets.py", "b.json", folder=folder)
    assert process.returncode == 0, process.stderr
    assert "| fit, libpecos / skxmr | 6 | 12 | 5.00 (!) |" in process.stdout
    assert "| fit, one thread / two, wall | 1.7 | 1.95 | 1.82 |" in process.stdout
    assert "| pickle of skxmr / files of libpecos | 1 | 0.5 | **0.50** |" in process.stdout


def test_targets_reject_file_without_pecos(comparison):
    folder, _ = comparison
    process = run("targets.py", "a.json", folder=folder)
    assert process.returncode == 2
    assert "must contain measurements of skxmr; pecos; skxmr, 2 threads" in process.stderr
