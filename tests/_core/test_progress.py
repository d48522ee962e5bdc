"""Progress of a fit: printed lines, the progress bar and scikit-learn's callbacks."""

import pickle
import re
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB

from skxmr import LabelHierarchy, XRLinearClassifier, load_model, save_model
from skxmr._core.progress import Listener, Progress
from skxmr.metrics import topk_scorer

LEVEL_LINE = re.compile(
    r"(?:tree (?P<tree>\d) of \d, )?level (?P<number>\d) of (?P<n_levels>\d): "
    r"(?P<n_children>[\d,]+) (?P<kind>clusters|labels) below (?P<parents>.+), "
    r"(?P<n_rows>[\d,]+) rows, finished after \d+\.\d s(?:, about \d+\.\d s left)?$"
)


def read_lines(capsys, prefix="[XRLinearClassifier] "):
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith(prefix) for line in lines)
    return [line.removeprefix(prefix) for line in lines]


def parse_level_lines(lines):
    """Return the fields of all lines about levels, sorted by tree and level."""
    matches = [match for match in map(LEVEL_LINE.match, lines) if match]
    return [match.groupdict() for match in sorted(matches, key=lambda match: match.groups())]


@pytest.mark.parametrize(("backend", "n_jobs"), [("threading", 1), ("threading", 2), ("loky", 2)])
def test_verbose_1_prints_a_line_per_stage_and_level(xmc_data, capsys, backend, n_jobs):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 10, verbose=1, n_jobs=n_jobs, random_state=0)
    with joblib.parallel_config(backend=backend):
        model.fit(X, Y)
    lines = read_lines(capsys)
    sizes = model.hierarchy_.level_sizes
    assert re.fullmatch(r"label features: 150 labels, 400 features, \d+\.\d s", lines[0])
    printed_sizes = " -> ".join(map(str, sizes))
    assert re.fullmatch(rf"tree: {printed_sizes} nodes, \d+\.\d s", lines[1])
    assert len(lines) == 2 + len(sizes)
    levels = parse_level_lines(lines)
    assert len(levels) == len(sizes)
    for number, level in enumerate(levels, start=1):
        assert level["tree"] is None
        assert int(level["number"]) == number
        assert int(level["n_levels"]) == len(sizes)
        assert int(level["n_children"]) == sizes[number - 1]
        assert level["kind"] == ("labels" if number == len(sizes) else "clusters")
        parents = "the root" if number == 1 else f"{sizes[number - 2]} clusters"
        assert level["parents"] == parents
        n_labeled_rows = np.count_nonzero(np.diff(Y.indptr))
        assert int(level["n_rows"].replace(",", "")) >= n_labeled_rows
    assert levels[0]["n_rows"] == "600"


def test_verbose_default_prints_nothing_and_verbose_does_not_change_the_model(xmc_data, capsys):
    X, Y = xmc_data
    quiet = XRLinearClassifier(4, 10, random_state=0).fit(X, Y)
    assert capsys.readouterr() == ("", "")
    verbose = clone(quiet).set_params(verbose=2, n_jobs=2).fit(X, Y)
    assert (quiet.predict_proba(X) != verbose.predict_proba(X)).nnz == 0


def test_verbose_lines_of_several_trees_have_the_tree_number(xmc_data, capsys):
    model = XRLinearClassifier(4, 10, n_trees=2, verbose=True, random_state=0).fit(*xmc_data)
    n_levels = model.hierarchy_.n_levels
    levels = parse_level_lines(read_lines(capsys))
    printed = [(int(level["tree"]), int(level["number"])) for level in levels]
    assert printed == [(tree, level) for tree in (1, 2) for level in range(1, n_levels + 1)]


def test_progress_bar_is_printed_as_ten_lines_without_a_terminal(xmc_data, capsys):
    XRLinearClassifier(4, 10, verbose=2, random_state=0).fit(*xmc_data)
    bars = [line for line in read_lines(capsys) if line.startswith("[")]
    n_filled = [line[:12].count("#") for line in bars]
    assert n_filled == sorted(set(n_filled))
    assert n_filled[-1] == 10
    assert "100%" in bars[-1]


def test_progress_bar_is_overwritten_on_a_terminal(xmc_data, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    XRLinearClassifier(4, 10, verbose=2, random_state=0).fit(*xmc_data)
    out = capsys.readouterr().out
    visible_lines = [line.rpartition("\x1b[K")[2] for line in out.splitlines()]
    assert len(parse_level_lines(line.partition("] ")[2] for line in visible_lines)) == 3
    assert out.count("\r") > 10


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"matcher": OneVsRestClassifier(MultinomialNB())},
            ["matcher: 15 clusters", "level 3 of 3"],
        ),
        ({"ranker": MultinomialNB()}, ["ranker: 150 labels", "level 1 of 3"]),
        ({"negatives": "man"}, ["level 1 of 3", "beam search of the training rows: 600 rows"]),
    ],
    ids=["matcher", "ranker", "beam"],
)
def test_verbose_prints_custom_stages_and_beam_searches(xmc_data, capsys, options, expected):
    options = {
        **options,
        "label_tree": LabelHierarchy.from_parents(
            [np.arange(3) // 3, np.arange(15) // 5, np.arange(150) // 10]
        ),
    }
    XRLinearClassifier(verbose=1, **options).fit(*xmc_data)
    lines = read_lines(capsys)
    positions = [next(i for i, line in enumerate(lines) if line.startswith(e)) for e in expected]
    assert positions == sorted(positions)
    assert not any("tree:" in line for line in lines)  # the tree is a parameter


def test_progress_estimates_the_remaining_time_from_task_costs():
    class Recorder(Listener):
        def __init__(self):
            self.fractions, self.levels = [], []

        def on_task_end(self, level, timing):
            expected = timing.elapsed * (1 / timing.fraction - 1)
            assert timing.remaining == pytest.approx(expected, rel=1e-6)
            self.fractions.append(timing.fraction)

        def on_level_end(self, level, timing):
            self.levels.append(level.number)

    recorder = Recorder()
    progress = Progress([recorder])
    with progress.tree(1, 1, 3):
        progress.skip_levels(1)
        task_costs = np.array([[3.0, 0.0], [1.0, 4.0], [0.0, 2.0]])
        end_task = progress.begin_levels([1, 2], [2, 4], [10, 10], task_costs)
        for task in (2, 0, 1):
            end_task(task)
    assert recorder.fractions == [0.2, 0.5, 1.0, 1.0]
    assert recorder.levels == [2, 3]


class CallbackRecorder:
    """Callback of scikit-learn that records all events."""

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.events.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.events.append(("begin", context.task_name, context.max_subtasks, X is not None))

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        n_labels = fitted_estimator is not None and fitted_estimator.hierarchy_.n_labels
        self.events.append(("end", context.task_name, len(context._children_map), n_labels))


def test_callbacks_receive_stages_levels_and_tasks(xmc_data, tmp_path):
    pytest.importorskip("sklearn.callback", reason="callbacks need scikit-learn >= 1.9")
    X, Y = xmc_data
    recorder = CallbackRecorder()
    model = XRLinearClassifier(4, 10, n_trees=2, n_jobs=2, random_state=0)
    model.set_callbacks(recorder).fit(X, Y)
    events = recorder.events
    assert events[0] == ("setup", "fit")
    assert events[1] == ("begin", "fit", 5, True)
    assert events[-2:] == [("end", "fit", 5, 150), ("teardown", "fit")]
    begun = [event[1] for event in events if event[0] == "begin"]
    ended = [event[1] for event in events if event[0] == "end"]
    assert sorted(begun) == sorted(ended)
    assert begun.count("label features") == 1
    assert begun.count("tree") == begun.count("training") == 2
    assert begun.count("level") == 2 * model.hierarchy_.n_levels
    n_begun_tasks = [e[2] for e in events if e[:2] == ("begin", "level")]
    assert sum(n_begun_tasks) == begun.count("clusters")
    n_ended_tasks = [e[2] for e in events if e[:2] == ("end", "level")]
    assert sorted(n_begun_tasks) == sorted(n_ended_tasks)
    assert not [name for name in vars(model) if "callback_ctx" in name]
    # Callbacks are not saved with the model.
    save_model(model, tmp_path / "model")
    assert not hasattr(load_model(tmp_path / "model"), "_skl_callbacks")
    assert len(pickle.dumps(clone(model).set_callbacks())) < 10_000


def test_callbacks_are_passed_on_by_a_grid_search(xmc_data):
    pytest.importorskip("sklearn.callback", reason="callbacks need scikit-learn >= 1.9")
    recorder = CallbackRecorder()
    recorder.max_propagation_depth = None
    search = GridSearchCV(
        XRLinearClassifier(4, 10, random_state=0),
        {"C": [0.5, 1.0]},
        scoring=topk_scorer("precision", k=1),
        cv=KFold(2),
    )
    search.set_callbacks(recorder).fit(*xmc_data)
    # Two values of C in two folds, and the final fit.
    assert sum(event[:2] == ("begin", "training") for event in recorder.events) == 5
