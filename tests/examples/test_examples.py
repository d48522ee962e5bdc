"""The examples run from the command line, say what they promise and warn of nothing."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
HAS_MATPLOTLIB = find_spec("matplotlib") is not None

pytestmark = [
    pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the examples are not in this checkout"),
    pytest.mark.slow(reason="each example is a process that trains on real data"),
]

draws = pytest.mark.skipif(not HAS_MATPLOTLIB, reason="the example draws with matplotlib")


def run_example(name, *arguments, folder):
    """Return what an example prints; warnings are errors to it, as to the other tests."""
    # Matplotlib warns that it cannot show what it draws for files.
    warnings = ["-W", "error", "-W", "ignore:FigureCanvasAgg is non-interactive"]
    done = subprocess.run(
        [sys.executable, *warnings, EXAMPLES / name, *arguments],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def answers(printed):
    """Map each question to the names that answer it, best first."""
    found = {}
    for block in printed.split("\n\n"):
        question, *lines = block.strip().splitlines()
        if lines and lines[0].startswith(" "):
            ranked = [re.fullmatch(r" +([01]\.\d\d)  ([\w.]+)", line) for line in lines]
            found[question] = [match[2] for match in ranked if match]
            scores = [float(match[1]) for match in ranked if match]
            assert scores == sorted(scores, reverse=True)
    return found


def test_api_search_answers_its_own_questions(tmp_path):
    printed = run_example("plot_api_search.py", folder=tmp_path)
    precision = {
        int(k): (float(p), float(best))
        for k, p, best in re.findall(r"^P@(\d): (\S+) \((\S+)\)$", printed, re.MULTILINE)
    }
    assert list(precision) == [1, 3, 5]
    assert all(0 <= p <= best <= 1 for p, best in precision.values())
    # Far below what it reaches, far above the commonest label (one row in a hundred).
    assert precision[1][0] > 0.3

    found = answers(printed)
    assert len(found) == 5
    assert all(len(set(names)) == 5 for names in found.values())
    right = {
        "solve a sparse linear system": "scipy.sparse.linalg.spsolve",
        "singular value decomposition of a sparse matrix": "scipy.sparse.linalg.svds",
        "inverse of a matrix": "scipy.linalg.inv",
        "split data into train and test sets": "sklearn.model_selection.train_test_split",
        "histogram of an array": "numpy.histogram",
    }
    # The docstrings, and with them the tree, differ from version to version: one may be missed.
    assert sum(name in found[question] for question, name in right.items()) >= 4
    assert not list(tmp_path.iterdir())


def test_api_search_answers_the_command_line(tmp_path):
    printed = run_example(
        "plot_api_search.py", "find the roots of a polynomial", "?!", folder=tmp_path
    )
    found = answers(printed)
    assert list(found) == ["find the roots of a polynomial", "?!"]
    assert "numpy.roots" in found["find the roots of a polynomial"]
    assert found["?!"] == []


@draws
def test_beam_width_and_branching_factor(tmp_path):
    printed = run_example("plot_beam_width_and_branching_factor.py", folder=tmp_path)
    table = re.search(r"^P@1\n((?: .*\n)+)", printed, re.MULTILINE)[1]
    rows = [[float(p) for p in line.split()[2:]] for line in table.splitlines()]
    assert [len(row) for row in rows] == [6, 6, 6, 6]
    # A beam of one takes wrong turns, whatever the tree.
    assert all(0 <= row[0] < row[-1] <= 1 for row in rows)


@draws
def test_calibration(tmp_path):
    printed = run_example("plot_calibration.py", folder=tmp_path)
    errors = re.search(r"^expected calibration error.*\n((?: .*\n)+)", printed, re.MULTILINE)[1]
    raw, sigmoid, isotonic = (float(line.split()[-1]) for line in errors.splitlines())
    assert isotonic < sigmoid < raw
    table = re.search(r"^F1 .*\n((?: .*\n)+)", printed, re.MULTILINE)[1]
    half, micro, samples = (line.split()[-2:] for line in table.splitlines())
    assert float(micro[0]) > float(half[0])
    assert float(samples[1]) > float(half[1])


@draws
def test_own_stages(tmp_path):
    printed = run_example("plot_own_stages.py", folder=tmp_path)
    precision = dict(re.findall(r"^(.*?) +P@1 (\S+)", printed, re.MULTILINE))
    assert list(precision) == [
        "standard stages",
        "own tree",
        "own clusterer",
        "own matcher",
        "nearest neighbours",
        "own ranker",
        "all of them",
    ]
    # Far above the commonest label (one row in a hundred), and none is another.
    assert min(map(float, precision.values())) > 0.3
    assert len(set(precision.values())) == 7


@draws
def test_tag_suggestion(tmp_path):
    printed = run_example("plot_tag_suggestion.py", folder=tmp_path)
    figures = re.findall(r"^first +(\d+): precision (\S+), recall (\S+)$", printed, re.MULTILINE)
    assert [k for k, _, _ in figures] == ["1", "5", "10"]
    precision, recall = ([float(row[i]) for row in figures] for i in (1, 2))
    assert precision == sorted(precision, reverse=True)
    assert recall == sorted(recall)
    assert precision[0] > 0.7
    assert recall[-1] > 0.6
    found = dict(re.findall(r"^(.*): (\w+(?:, \w+){6})$", printed, re.MULTILINE))
    assert {"poisson", "random"} <= set(
        found["draw random numbers from a Poisson distribution"].split(", ")
    )


@draws
def test_ensembles(tmp_path):
    printed = run_example("plot_ensembles.py", folder=tmp_path)
    table = re.findall(r"^(\w+)(?: trees)? +P@1 (\S+)  P@5 (\S+)  fit", printed, re.MULTILINE)
    five = {name: float(p) for name, _, p in table}
    assert list(five) == ["1", "2", "4", "8", "default", "fast", "balanced", "best"]
    assert five["1"] < five["2"] < five["8"]
    assert five["default"] < five["best"]


@draws
def test_tree_from_taxonomy(tmp_path):
    printed = run_example("plot_tree_from_taxonomy.py", folder=tmp_path)
    table = re.findall(r"^(\S+) +P@1, 3, 5: (\S+)  (\S+)  (\S+)$", printed, re.MULTILINE)
    precision = {name: [float(p) for p in row] for name, *row in table}
    assert list(precision) == ["taxonomy", "k-means", "random"]
    assert precision["random"] < precision["taxonomy"]
    assert precision["random"] < precision["k-means"]


@draws
def test_own_matcher(tmp_path):
    printed = run_example("plot_own_matcher.py", folder=tmp_path)
    precision = dict(re.findall(r"^(.*?) +P@1 (\S+)", printed, re.MULTILINE))
    assert list(precision) == ["linear models", "nearest rows", "mean of both"]
    # Between its parts, as a mean is.
    assert float(precision["nearest rows"]) < float(precision["mean of both"])
    assert re.search(r"^\d+ labels in \d+ clusters$", printed, re.MULTILINE)


@draws
def test_long_tail(tmp_path):
    printed = run_example("plot_long_tail.py", folder=tmp_path)
    table = re.findall(r"^(\w+)=(\S*) +P@1 (\S+)  PSP@5 (\S+)$", printed, re.MULTILINE)
    first, scored = ({name + at: float(row[i]) for name, at, *row in table} for i in (0, 1))
    assert scored["propensity_weight2.0"] > scored["propensity_weight0.0"]
    assert scored["relevance"] > scored["propensity_weight0.0"]
    assert first["propensity_weight3.0"] < first["propensity_weight0.0"]


def test_explanation(tmp_path):
    figure = tmp_path / "figure.png"
    printed = run_example("plot_explanation.py", "--output", figure, folder=tmp_path)
    best = re.match(r"solve a sparse linear system of equations: ([\w.]+), then", printed)[1]
    assert f"\n{best}: ranked 1st" in printed
    assert re.search(r"^numpy.histogram: (ranked|not ranked)", printed, re.MULTILINE)
    # Each step adds up to its margin, but for the rounding of what is printed.
    steps = re.findall(r"margin (\S+), .*\n((?: {4}.*\n)+)", printed)
    assert len(steps) >= 4
    for margin, rows in steps:
        contributions = [float(row.split()[0]) for row in rows.splitlines()]
        assert sum(contributions) == pytest.approx(float(margin), abs=5e-3)
    assert "labels in clusters" in printed
    if HAS_MATPLOTLIB:
        assert figure.read_bytes().startswith(b"\x89PNG")
    else:
        assert "Install matplotlib" in printed


@draws
def test_serving(tmp_path):
    printed = run_example("plot_serving.py", folder=tmp_path)
    found = answers(printed)
    assert list(found) == ["solve a sparse linear system", "histogram of an array"]
    assert "numpy.histogram" in found["histogram of an array"]
    assert "k must be an integer from 1 to 100; got 1000" in printed
    loads = re.findall(r"^(\d) connections: \d+ requests a second, ", printed, re.MULTILINE)
    assert loads == ["1", "2", "8"]
    assert not list(tmp_path.iterdir())
