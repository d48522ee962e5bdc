"""What a fit says while it runs."""

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

LEVEL = re.compile(
    r"(?:tree (\d) of \d, )?level (\d) of (\d): ([\d,]+) (clusters|labels) below (.+), "
    r"([\d,]+) rows, (\d+\.\d) s(?:, about (\d+\.\d) s left)?$"
)


def lines_of(capsys, prefix="[XRLinearClassifier] "):
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith(prefix) for line in lines)
    return [line.removeprefix(prefix) for line in lines]


def levels_in(lines):
    return sorted(match.groups() for match in map(LEVEL.match, lines) if match)


@pytest.mark.parametrize(("backend", "n_jobs"), [("threading", 1), ("threading", 2), ("loky", 2)])
def test_a_line_for_each_stage_and_level(xmc_data, capsys, backend, n_jobs):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 10, verbose=1, n_jobs=n_jobs, random_state=0)
    with joblib.parallel_config(backend=backend):
        model.fit(X, Y)
    lines = lines_of(capsys)
    sizes = model.hierarchy_.level_sizes
    assert re.fullmatch(r"label features: 150 labels, 400 features, \d+\.\d s", lines[0])
    shown = ", ".join(map(str, sizes))
    assert re.fullmatch(rf"tree: levels of {shown}, \d+\.\d s", lines[1])
    assert len(lines) == 2 + len(sizes)
    for number, level in enumerate(levels_in(lines), start=1):
        tree, at, n_levels, children, kind, parents, rows, *_ = level
        assert (tree, int(at), int(n_levels)) == (None, number, len(sizes))
        assert int(children) == sizes[number - 1]
        assert kind == ("labels" if number == len(sizes) else "clusters")
        assert parents == ("the root" if number == 1 else f"{sizes[number - 2]} clusters")
        assert int(rows.replace(",", "")) >= np.count_nonzero(np.diff(Y.indptr))
    assert levels_in(lines)[0][6] == "600"


def test_silence_by_default_and_the_same_model(xmc_data, capsys):
    X, Y = xmc_data
    quiet = XRLinearClassifier(4, 10, random_state=0).fit(X, Y)
    assert capsys.readouterr() == ("", "")
    loud = clone(quiet).set_params(verbose=2, n_jobs=2).fit(X, Y)
    assert (quiet.predict_proba(X) != loud.predict_proba(X)).nnz == 0


def test_the_levels_of_several_trees_are_told_apart(xmc_data, capsys):
    model = XRLinearClassifier(4, 10, n_trees=2, verbose=True, random_state=0).fit(*xmc_data)
    n_levels = model.hierarchy_.n_levels
    told = [(int(level[0]), int(level[1])) for level in levels_in(lines_of(capsys))]
    assert told == [(tree, level) for tree in (1, 2) for level in range(1, n_levels + 1)]


def test_a_bar_in_lines_where_it_cannot_be_rewritten(xmc_data, capsys):
    XRLinearClassifier(4, 10, verbose=2, random_state=0).fit(*xmc_data)
    bars = [line for line in lines_of(capsys) if line.startswith("[")]
    filled = [line[:12].count("#") for line in bars]
    assert filled == sorted(set(filled))
    assert filled[-1] == 10
    assert "100%" in bars[-1]


def test_a_bar_on_a_terminal_is_rewritten(xmc_data, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    XRLinearClassifier(4, 10, verbose=2, random_state=0).fit(*xmc_data)
    out = capsys.readouterr().out
    on_screen = [line.rpartition("\x1b[K")[2] for line in out.splitlines()]
    assert len(levels_in(line.partition("] ")[2] for line in on_screen)) == 3
    assert out.count("\r") > 10


@pytest.mark.parametrize(
    ("options", "told"),
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
def test_stages_of_ones_own_and_the_beam(xmc_data, capsys, options, told):
    options = {
        **options,
        "label_tree": LabelHierarchy.from_parents(
            [np.arange(3) // 3, np.arange(15) // 5, np.arange(150) // 10]
        ),
    }
    XRLinearClassifier(verbose=1, **options).fit(*xmc_data)
    lines = lines_of(capsys)
    places = [next(i for i, line in enumerate(lines) if line.startswith(t)) for t in told]
    assert places == sorted(places)
    assert not any("tree:" in line for line in lines)  # it was finished


def test_estimates_follow_the_work():
    class Heard(Listener):
        def __init__(self):
            self.shares, self.levels = [], []

        def on_part(self, size, share, seconds, rest):
            assert rest == pytest.approx(seconds * (1 / share - 1), rel=1e-6)
            self.shares.append(share)

        def on_level(self, size, seconds, rest):
            self.levels.append(size.number)

    heard = Heard()
    progress = Progress([heard])
    with progress.tree(1, 1, 3):
        progress.skip_levels(1)
        work = np.array([[3.0, 0.0], [1.0, 4.0], [0.0, 2.0]])
        done = progress.levels([1, 2], [2, 4], [10, 10], work)
        for task in (2, 0, 1):
            done(task)
    assert heard.shares == [0.2, 0.5, 1.0, 1.0]
    assert heard.levels == [2, 3]


class Recorder:
    """A callback that keeps what it is told."""

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append(("setup", context.task_name))

    def teardown(self, estimator, context):
        self.events.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.events.append(("begin", context.task_name, context.max_subtasks, X is not None))

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        fitted = fitted_estimator is not None and fitted_estimator.hierarchy_.n_labels
        self.events.append(("end", context.task_name, len(context._children_map), fitted))


def test_callbacks_of_scikit_learn_see_stages_levels_and_tasks(xmc_data, tmp_path):
    pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 has callbacks")
    X, Y = xmc_data
    recorder = Recorder()
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
    begun_tasks = [e[2] for e in events if e[:2] == ("begin", "level")]
    assert sum(begun_tasks) == begun.count("clusters")
    ended_tasks = [e[2] for e in events if e[:2] == ("end", "level")]
    assert sorted(begun_tasks) == sorted(ended_tasks)
    assert not [name for name in vars(model) if "callback_ctx" in name]
    # They belong to fits, not to what a fit leaves.
    save_model(model, tmp_path / "model")
    assert not hasattr(load_model(tmp_path / "model"), "_skl_callbacks")
    assert len(pickle.dumps(clone(model).set_callbacks())) < 10_000


def test_a_search_passes_callbacks_on(xmc_data):
    pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 has callbacks")
    recorder = Recorder()
    recorder.max_propagation_depth = None
    search = GridSearchCV(
        XRLinearClassifier(4, 10, random_state=0),
        {"C": [0.5, 1.0]},
        scoring=topk_scorer("precision", k=1),
        cv=KFold(2),
    )
    search.set_callbacks(recorder).fit(*xmc_data)
    assert sum(event[:2] == ("begin", "training") for event in recorder.events) == 5
