"""scale.py measures sizes, stops processes above a memory limit, and makes a report."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skxmr import XRLinearClassifier
from skxmr.datasets import make_extreme_multilabel

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"

pytestmark = pytest.mark.skipif(
    not BENCHMARKS.is_dir(), reason="the benchmarks are not in this checkout"
)


@pytest.fixture
def load(monkeypatch):
    """Return a function that imports a module of the folder benchmarks by its bare name."""
    modules_before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module
    for name in set(sys.modules) - modules_before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def run(*arguments, folder):
    return subprocess.run(
        [sys.executable, BENCHMARKS / "scale.py", *arguments],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow(reason="a benchmark in several processes")
def test_scale_appends_record_to_file(tmp_path):
    (tmp_path / "scale.jsonl").write_text('{"existing": true}\n')
    process = run("--sizes", "300", "--lines", "skxmr", "--threads", "1", folder=tmp_path)
    assert process.returncode == 0, process.stderr
    existing, record = read(tmp_path / "scale.jsonl")
    assert existing == {"existing": True}
    assert record["status"] == "measured"
    sizes = record["data"]
    assert (sizes["n_labels"], sizes["n_train"], sizes["n_test"]) == (300, 220, 69)
    assert sizes["labels_per_row"] == pytest.approx(5.4, rel=0.1)
    turn = record["turn"]
    assert turn["p_at_1"] > 20  # far above chance for 300 labels
    assert turn["model_mb"] > 0.01
    positive = ["fit_wall_s", "fit_cpu_s", "load_wall_s", "first_wall_s", "batch_cpu_us"]
    assert all(turn[key] > 0 for key in positive)
    assert 0 < turn["single_p50_us"] <= turn["single_p99_us"]
    assert os.listdir(tmp_path) == ["scale.jsonl"]


@pytest.mark.parametrize("storage", [{}, {"mapped": True}, {"mapped": True, "stream": True}])
def test_peer_predictions_do_not_depend_on_model_storage(storage, load, tmp_path):
    X, Y = make_extreme_multilabel(300, 200, 60, random_state=0)
    peers = load("peers")
    job = {"threads": 1, "settings": {"max_leaf_size": 20}, "seed": 0, "model": str(tmp_path)}
    peer = peers.Skxmr({**job, **storage})
    peer.fit(X, Y)
    assert peer.fit_writes_model == ("stream" in storage)
    peer.save()
    loaded = peers.Skxmr({**job, **storage})
    loaded.load()
    expected = XRLinearClassifier(max_leaf_size=20, random_state=0).fit(X, Y).predict_topk(X, 10)
    np.testing.assert_array_equal(loaded.to_ranking(loaded.predict(X)), expected[0])


def test_scale_skips_line_above_its_maximum_number_of_labels(load):
    scale = load("scale")
    args = scale.parse_arguments(["--sizes", "300", "--lines", "skxmr", "--up-to", "skxmr=299"])
    assert list(scale.measure_size(args.sizes[0], args)) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes", "99"], "at least 100, .*; got '99'"),
        (["--sizes", "300,amazon"], "amazon-670k, amazon-3m; got 'amazon'"),
        (["--lines", "skxmr,tree"], "'tree'"),
        (["--up-to", "tree=3"], "'tree=3'"),
        (["--memory-limit", "0.1"], "at least 0.5; got '0.1'"),
    ],
)
def test_scale_reports_allowed_values_of_arguments(arguments, message, load, capsys):
    if "--memory-limit" in arguments and not load("memory_limit").can_measure_memory():
        pytest.skip("this system does not report the memory of other processes")
    with pytest.raises(SystemExit):
        load("scale").parse_arguments(arguments)
    assert re.search(message, capsys.readouterr().err)


def test_scaled_shapes_match_amazon_670k(load):
    scale = load("scale")
    assert scale.scaled_shape(670_091)[1:] == scale.NAMED_SHAPES["amazon-670k"][1:]
    small, large = scale.scaled_shape(10_000), scale.scaled_shape(40_000)
    assert large.n_train == pytest.approx(4 * small.n_train, abs=4)
    assert large.n_features == pytest.approx(2 * small.n_features, abs=2)


def test_run_ends_process_above_memory_limit(load):
    memory_limit = load("memory_limit")
    if not memory_limit.can_measure_memory():
        pytest.skip("this system does not report the memory of other processes")
    options = {"stdout": subprocess.PIPE, "text": True}
    code = "b = bytearray({} * 2**20); import time; print(len(b), flush=True); time.sleep({})"
    small = [sys.executable, "-c", code.format(1, 0)]
    assert memory_limit.run(small, 200 * 2**20, **options) == (0, f"{2**20}\n")
    large = [sys.executable, "-c", code.format(300, 60)]
    with pytest.raises(memory_limit.MemoryLimitExceeded, match=r"more than 0\.2 GB after") as error:
        memory_limit.run(large, 200_000_000, **options)
    assert error.value.seconds < 60


def make_record(n_labels, line="skxmr", factor=1.0, **changes):
    """Return a record as scale.py writes it, with all figures multiplied by `factor`."""
    sizes = {"n_labels": n_labels, "n_train": 2 * n_labels, "labels_per_row": 5.0}
    keys = ["fit_wall_s", "fit_cpu_s", "fit_peak_mb", "before_fit_mb", "model_mb", "n_weights"]
    keys += ["load_wall_s", "first_wall_s", "batch_cpu_us", "single_p50_us", "single_p99_us"]
    turn = dict.fromkeys(keys, factor * n_labels)
    return {
        "line": line,
        "peer": line,
        "data": sizes,
        "date": "2030-01-02T03:04:05+00:00",
        "machine": {"cpu": "a processor", "cores": 2, "os": "a system"},
        "load_average": [0.1, 0.1, 0.1],
        "threads": 2,
        "versions": {line: "1.0"},
        "status": "measured",
        "turn": {**turn, "p_at_1": 60.0, "p_at_3": 50.0, "p_at_5": 40.0},
        **changes,
    }


def parse_tables(text):
    """Return the tables of a page as lists of rows of cells."""
    tables = []
    for block in text.split("\n\n"):
        if block.startswith("|"):
            lines = block.splitlines()
            tables.append([[cell.strip() for cell in line.split("|")[1:-1]] for line in lines])
    return tables


def test_report_joins_turns_and_sizes(load):
    stopped = {
        "status": "stopped",
        "phase": "fit",
        "reason": "more than 3 GB after 9 s",
        "memory_limit_gb": 3.0,
        "turn": {},
    }
    records = [
        make_record(40_000),
        make_record(10_000, factor=2.0),
        make_record(10_000, factor=1.0),
        make_record(10_000, line="pecos", factor=3.0),
        make_record(40_000, line="pecos", **stopped),
    ]
    text = load("scale_report").make_report(records)
    fit, prediction, growth = parse_tables(text)
    assert fit[0][:5] == ["labels", "rows", "labels per row", "line", "fit, wall s"]
    assert [row[:5] for row in fit[2:]] == [
        ["10,000", "20,000", "5.0", "skxmr", "10000"],
        ["10,000", "20,000", "5.0", "pecos", "30000"],
        ["40,000", "80,000", "5.0", "skxmr", "40000"],
        ["40,000", "80,000", "5.0", "pecos", "-"],
    ]
    memory = fit[0].index("memory, GB")
    assert [row[memory] for row in fit[2:]] == ["10.0", "30.0", "40.0", "> 3"]
    assert prediction[2][-3:] == ["60.00", "50.00", "40.00"]
    assert growth[2][:2] == ["10,000 to 40,000", "skxmr"]
    assert set(growth[2][2:]) == {"4.00"}
    assert len(growth) == 3  # no growth for the line that was stopped
    assert "pecos at 40,000 labels: fit stopped, more than 3 GB after 9 s." in text


def test_report_replaces_only_generated_part_of_page(load, tmp_path, monkeypatch):
    report = load("scale_report")
    page, records = tmp_path / "scale.md", tmp_path / "scale.jsonl"
    page.write_text(f"before\n\n{report.BEGIN}\n\nold\n\n{report.END}\n\nafter\n")
    records.write_text(json.dumps(make_record(10_000)) + "\n")
    monkeypatch.setattr(subprocess, "run", lambda command: subprocess.CompletedProcess(command, 0))
    for _ in range(2):
        assert report.update_page(records, page=page) == 0
        text = page.read_text()
        assert text.startswith(f"before\n\n{report.BEGIN}\n\n| labels ")
        assert text.endswith(f"\n\n{report.END}\n\nafter\n")
        assert "old" not in text


def test_page_of_documentation_has_tables_for_the_figure(load):
    text = (ROOT / "doc" / "benchmarks" / "scale.md").read_text()
    report = load("scale_report")
    generated = text.partition(report.BEGIN)[2].partition(report.END)[0]
    fit, prediction, growth = parse_tables(generated)
    assert {row[3] for row in fit[2:]} >= {"skxmr", "pecos"}
    assert len(fit) == len(prediction) > len(growth) > 2
    assert (ROOT / "doc" / "pictures" / "scale.svg").exists()
