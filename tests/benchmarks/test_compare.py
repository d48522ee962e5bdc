"""The comparison takes two numbers of threads, and the table of targets is made of it."""

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
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    sizes = ["--generate", "300", "50", "200", "60"]
    how = ["--peers", "skxmr", "--own-threads", "2", "--repeat", "2", "--output", "a.json"]
    done = run("compare.py", *sizes, *how, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder, json.loads((folder / "a.json").read_text())


def test_both_are_measured_in_the_same_turns(measured):
    _, found = measured
    assert list(found["peers"]) == ["skxmr", "skxmr, 2 threads"]
    one, two = found["peers"].values()
    assert len(one["turns"]) == len(two["turns"]) == 2
    # The number of threads changes times only.
    for key in ("p_at_1", "p_at_3", "p_at_5", "model_mb"):
        assert one["summary"][key] == two["summary"][key]
    assert two["ratios"]["fit_wall_s"] == pytest.approx(
        two["summary"]["fit_wall_s"] / one["summary"]["fit_wall_s"]
    )


def test_the_table_tells_what_is_met_and_what_is_not(measured):
    folder, found = measured
    own = dict(found["peers"]["skxmr"]["summary"], fit_cpu_s=2.0, fit_wall_s=2.0, model_mb=3.0)
    peer = {"summary": dict(own, fit_cpu_s=10.0, model_mb=6.0)}
    pair = {"summary": dict(own, fit_wall_s=1.1)}
    peers = {"skxmr": {"summary": own}, "pecos": peer, "skxmr, 2 threads": pair}
    (folder / "b.json").write_text(json.dumps({**found, "peers": peers}))
    done = run("targets.py", "b.json", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "| fit, libpecos / skxmr | 6 | 12 | 5.00 (!) |" in done.stdout
    assert "| fit, one thread / two, wall | 1.7 | 1.95 | 1.82 |" in done.stdout
    assert "| saved model, skxmr / libpecos | 1 | 0.5 | **0.50** |" in done.stdout


def test_a_file_without_the_peer_is_refused(measured):
    folder, _ = measured
    done = run("targets.py", "a.json", folder=folder)
    assert done.returncode == 2
    assert "must hold skxmr; pecos; skxmr, 2 threads, all measured" in done.stderr
