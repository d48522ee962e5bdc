"""`update` and `forget` equal a fit of the current data on the changed tree."""

import functools
import operator
import os

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from skxmr import (
    HierarchicalLabelTree,
    LabelHierarchy,
    XRLinearClassifier,
    load_model,
    make_text_classifier,
    save_model,
)
from skxmr._core.targets import check_targets
from skxmr.text import find_unknown_terms
from skxmr.xr_linear import _update

N_ROWS, N_LABELS = 300, 60
SMALL_TREE = {"branching_factor": 3, "max_leaf_size": 5, "random_state": 0}
OPTIONS = {
    "default": {},
    "random negatives": {"negatives": "tfn+random"},
    "beam negatives": {"negatives": "tfn+man", "beam_width": 2},
    "two trees": {"n_trees": 2},
    "int8": {"weight_dtype": "int8"},
    "log loss": {"loss": "log_loss", "score_transform": "sigmoid", "relevance_norm": None},
    "huffman": {"label_tree": HierarchicalLabelTree(clustering="huffman", balanced=False)},
}


def make_rows(seed=0):
    """Return rows of unit length and the numbers of the labels of each row."""
    rng = np.random.default_rng(seed)
    topics = rng.random((N_LABELS, 40)) * (rng.random((N_LABELS, 40)) < 0.2)
    labels = [rng.choice(N_LABELS, rng.integers(1, 4), replace=False) for _ in range(N_ROWS)]
    X = np.array([topics[row].sum(axis=0) for row in labels]) + 0.1 * rng.random((N_ROWS, 40))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return sp.csr_matrix(X.astype(np.float32)), labels


X, LABELS = make_rows()


TEXTS = ["red apples", "ripe pears", "a fast car", "an old bus", "ripe red apples"]
TOPICS = [["fruit", "red"], ["fruit"], ["vehicle"], ["vehicle"], ["fruit", "red"]]


def name(labels):
    return [[f"label {label:02}" for label in row] for row in labels]


NAMES = name(LABELS)


def take(rows, keep_label=lambda label: True):
    """Return some rows of X and their labels without those that are not kept."""
    return X[rows], [[label for label in NAMES[row] if keep_label(label)] for row in rows]


def refit(model, X, y, **fit_params):
    """Return a new classifier, fitted on the trees of a model."""
    params = {
        **model.get_params(deep=False),
        "label_tree": [tree.hierarchy for tree in model._model.models],
        "branching_factor": None,
        "max_leaf_size": None,
        "model_dir": None,
    }
    return XRLinearClassifier(**params).fit(X, y, **fit_params)


def assert_equal_models(model, expected):
    assert model.classes_.tolist() == expected.classes_.tolist()
    assert model.path_weight_ == expected.path_weight_
    assert model.hierarchy_ == expected.hierarchy_
    for tree, expected_tree in zip(model._model.models, expected._model.models, strict=True):
        assert tree.hierarchy == expected_tree.hierarchy
        np.testing.assert_array_equal(tree.ranker.offsets, expected_tree.ranker.offsets)
        for level, expected_level in zip(tree.levels, expected_tree.levels, strict=True):
            assert level.arrays.keys() == expected_level.arrays.keys()
            for key, values in expected_level.arrays.items():
                assert level.arrays[key].dtype == values.dtype
                np.testing.assert_array_equal(level.arrays[key], values, err_msg=key)


def snapshot(model):
    return [
        {key: values.copy() for key, values in level.arrays.items()}
        for level in model._model.levels
    ]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_update_equals_a_fit_on_the_same_tree(options):
    removed = {f"label {label:02}" for label in (3, 17, 18, 40)}
    before = take(np.arange(200), lambda label: label not in removed and label < "label 50")
    params = SMALL_TREE | options
    model = XRLinearClassifier(**params).fit(*before)
    now = take(np.r_[0:20, 30:300], lambda label: label != "label 20")
    model.update(*now)
    assert "label 40" in model.classes_
    assert "label 20" not in model.classes_
    assert_equal_models(model, refit(model, *now))


@given(data=st.data())
def test_any_sequence_of_changes_equals_a_fit_on_the_same_tree(data):
    model = XRLinearClassifier(**SMALL_TREE).fit(*take(np.arange(data.draw(st.integers(20, 250)))))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    with pytest.MonkeyPatch.context() as patch:
        # Removals of many labels are refused only to protect users from mistakes.
        patch.setattr(_update, "MAX_LOST_FRACTION", 1.0)
        for _ in range(data.draw(st.integers(1, 3))):
            kept_rows = rng.random(N_ROWS) < data.draw(st.sampled_from([0.3, 0.95, 1.0]))
            n_hidden = data.draw(st.sampled_from([0, 1, 20]))
            hidden = set(rng.choice(N_LABELS, n_hidden, replace=False))
            now = take(
                np.flatnonzero(kept_rows),
                lambda label, hidden=hidden: int(label[-2:]) not in hidden,
            )
            model.update(*now, upper_levels=data.draw(st.sampled_from(["keep", "retrain"])))
        model.update(*now)
    assert_equal_models(model, refit(model, *now))


def test_unchanged_clusters_keep_their_weights_and_are_not_trained(monkeypatch):
    from skxmr._linear import training

    model = XRLinearClassifier(**SMALL_TREE).fit(X, NAMES)
    leaf = model.hierarchy_.leaf_of_label
    label = int(np.flatnonzero(leaf == leaf[7])[0])
    row = next(row for row in range(N_ROWS) if set(leaf[LABELS[row]]) == {leaf[label]})
    solved = []
    solve = training.Solver.solve
    monkeypatch.setattr(
        training.Solver, "solve", lambda self, *a, **k: solved.append(1) or solve(self, *a, **k)
    )
    # Another row of unit length: other lengths would change the scale of `refit`.
    changed = X[np.where(np.arange(N_ROWS) == row, (row + 1) % N_ROWS, np.arange(N_ROWS))]
    model.update(changed, NAMES)
    # The clusters above the labels of one row, and no others.
    assert len(solved) == model.hierarchy_.n_levels
    assert_equal_models(model, refit(model, changed, NAMES))
    del solved[:]
    levels = model._model.levels
    model.update(changed, NAMES)
    assert not solved
    assert all(new is old for new, old in zip(model._model.levels, levels, strict=True))


def test_keep_trains_clusters_of_clusters_only_if_their_children_change():
    model = XRLinearClassifier(**SMALL_TREE).fit(*take(np.arange(200)))
    before = snapshot(model)
    model.update(*take(np.arange(300)), upper_levels="keep")
    same_tree = [len(level["child_ids"]) for level in before[:-1]] == [
        len(level.arrays["child_ids"]) for level in model._model.levels[:-1]
    ]
    assert same_tree  # all labels occur in the first 200 rows
    for level, earlier in zip(model._model.levels[:-1], before[:-1], strict=True):
        for key, values in earlier.items():
            np.testing.assert_array_equal(level.arrays[key], values)
    leaf_level, earlier = model._model.levels[-1].arrays, before[-1]
    assert not np.array_equal(leaf_level["fingerprints"], earlier["fingerprints"])
    # A later update knows which clusters were kept.
    assert_equal_models(model.update(*take(np.arange(300))), refit(model, *take(np.arange(300))))


def test_keep_trains_a_cluster_whose_child_was_divided():
    first = XRLinearClassifier(**SMALL_TREE).fit(*take(np.arange(200), lambda n: n < "label 30"))
    n_leaves = first.hierarchy_.n_leaves
    first.update(*take(np.arange(300)), upper_levels="keep")
    assert first.hierarchy_.n_leaves > n_leaves
    sizes = [np.diff(indptr).max() for indptr in first.hierarchy_.child_indptrs]
    assert max(sizes[:-1]) <= 3
    assert sizes[-1] <= 5
    labels, scores = first.predict_topk(X, k=60)
    assert np.isfinite(scores[labels >= 0]).all()


def test_forget_equals_a_fit_that_never_saw_the_rows_and_labels():
    model = XRLinearClassifier(**SMALL_TREE).fit(X, NAMES)
    rows = np.r_[0:150, 160:300]
    forgotten = ["label 05", "label 33"]
    rest = take(rows, lambda label: label not in forgotten)
    model.forget(*take(rows), labels=forgotten)
    assert not set(forgotten) & set(model.classes_)
    assert_equal_models(model, refit(model, *rest))
    # Without `labels`, the labels that no longer occur are removed.
    other = XRLinearClassifier(**SMALL_TREE).fit(X, NAMES).forget(*rest)
    assert_equal_models(other, model)


@pytest.mark.parametrize("make", [sp.csr_array, lambda Y: Y.toarray()], ids=["sparse", "dense"])
def test_columns_of_an_indicator_stay(make):
    Y = check_targets(NAMES).indicator
    model = XRLinearClassifier(**SMALL_TREE).fit(X, make(Y[:, :50]))
    model.update(X, make(Y))
    assert_equal_models(model, refit(model, X, make(Y)))
    without = Y.tolil()
    without[:, [4, 9]] = 0
    expected = refit(model, X, make(without.tocsr()))
    assert_equal_models(model.forget(X, make(Y), labels=[9, 4]), expected)
    assert model.predict(X).shape == (N_ROWS, 60)
    assert not set(model.predict_topk(X, k=5)[0].ravel()) & {4, 9}


def test_columns_of_a_data_frame_are_matched_by_name():
    Y = check_targets(NAMES).indicator.toarray()
    frame = pd.DataFrame(Y, columns=[f"topic {i}" for i in range(60)])
    model = XRLinearClassifier(**SMALL_TREE).fit(X, frame.iloc[:, :50])
    now = frame.iloc[:, ::-1].drop(columns="topic 7")
    model.update(X, now)
    assert model.classes_.tolist() == now.columns.tolist()
    assert_equal_models(model, refit(model, X, now))


def test_classes_are_updated_and_forgotten():
    y = np.array([row[0] for row in NAMES])
    model = XRLinearClassifier(**SMALL_TREE).fit(X[:200], y[:200])
    model.update(X, y)
    assert_equal_models(model, refit(model, X, y))
    rest = y != "label 08"
    model.forget(X[rest], y[rest], labels=["label 08"])
    assert_equal_models(model, refit(model, X[rest], y[rest]))
    with pytest.raises(ValueError, match=r"y must not contain the classes that are .*'label 09'"):
        model.forget(X[rest], y[rest], labels=["label 09"])


def test_weights_and_relevance_are_used():
    weights = np.random.default_rng(0).integers(0, 3, N_ROWS).astype(float)
    relevance = check_targets(NAMES).indicator.astype(float)
    relevance.data[:] = np.random.default_rng(1).random(relevance.nnz) + 0.5
    model = XRLinearClassifier(**SMALL_TREE).fit(X, NAMES)
    model.update(X, NAMES, sample_weight=weights, relevance=relevance)
    expected = refit(model, X, NAMES, sample_weight=weights, relevance=relevance)
    assert_equal_models(model, expected)
    model.forget(X, NAMES, sample_weight=np.ones(N_ROWS))
    assert_equal_models(model, refit(model, X, NAMES))


def test_dense_and_sparse_rows_are_the_same_rows():
    model = XRLinearClassifier(**SMALL_TREE).fit(X.toarray(), NAMES)
    levels = model._model.levels
    model.update(X, NAMES)
    assert all(new is old for new, old in zip(model._model.levels, levels, strict=True))


def test_rows_are_divided_by_the_length_of_the_first_fit():
    model = XRLinearClassifier(**SMALL_TREE).fit(10 * X, NAMES)
    length = model._row_length
    longer = sp.vstack([10 * X, 30 * X[:100]]).tocsr()
    model.update(longer, NAMES + NAMES[:100])
    assert model._row_length == length
    # The same model, up to the rounding of the quotients, as of rows with the length 1.
    reference = XRLinearClassifier(**SMALL_TREE).fit(X, NAMES)
    reference.update(sp.vstack([X, 3 * X[:100]]).tocsr(), NAMES + NAMES[:100])
    np.testing.assert_allclose(
        model.predict_topk(10 * X)[1], reference.predict_topk(X)[1], atol=1e-3
    )


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_update_does_not_depend_on_the_number_of_workers(n_jobs):
    model = XRLinearClassifier(**SMALL_TREE, n_jobs=n_jobs).fit(*take(np.arange(200)))
    model.update(*take(np.arange(20, 300)))
    expected = XRLinearClassifier(**SMALL_TREE).fit(*take(np.arange(200)))
    assert_equal_models(model, expected.update(*take(np.arange(20, 300))))


def test_new_labels_of_a_given_hierarchy_do_not_divide_its_clusters():
    hierarchy = LabelHierarchy.from_memberships(np.arange(50) % 4)
    before = take(np.arange(200), lambda label: label < "label 50")
    model = XRLinearClassifier(label_tree=hierarchy, random_state=0).fit(*before)
    model.update(X, NAMES)
    assert model.hierarchy_.n_leaves == 4
    assert_equal_models(model, refit(model, X, NAMES))


def test_pruned_weights_are_trained_again():
    model = XRLinearClassifier(**SMALL_TREE).fit(X, NAMES).prune(max_weights_per_label=1)
    assert_equal_models(model.update(X, NAMES), refit(model, X, NAMES))


def test_changed_parameters_are_used():
    model = XRLinearClassifier(**SMALL_TREE).fit(X, NAMES)
    model.set_params(C=3.0)
    with pytest.raises(ValueError, match="upper_levels must be 'retrain' if parameters"):
        model.update(X, NAMES, upper_levels="keep")
    assert_equal_models(model.update(X, NAMES), refit(model, X, NAMES))


def test_a_saved_model_can_be_updated(tmp_path):
    model = XRLinearClassifier(**SMALL_TREE, n_trees=2).fit(*take(np.arange(200)))
    save_model(model, tmp_path / "model")
    for mmap_mode in (None, "r"):
        loaded = load_model(tmp_path / "model", mmap_mode=mmap_mode)
        loaded.update(X, NAMES)
        assert_equal_models(loaded, refit(loaded, X, NAMES))


def test_model_dir_shares_unchanged_files(tmp_path, monkeypatch):
    from skxmr._core import array_folder

    monkeypatch.setattr(array_folder, "MIN_MAPPED_BYTES", 0)
    model = XRLinearClassifier(**SMALL_TREE, model_dir=tmp_path / "1").fit(*take(np.arange(200)))
    model.set_params(model_dir=tmp_path / "2")
    model.update(X, NAMES, upper_levels="keep")
    first, second = (
        {file: os.stat(tmp_path / folder / file).st_ino for file in os.listdir(tmp_path / folder)}
        for folder in "12"
    )
    shared = {file for file in second if second[file] in first.values()}
    assert any("matcher.levels.0" in file and "entry_weights" in file for file in shared)
    assert not any("ranker" in file and "entry_weights" in file for file in shared)
    # Both folders are complete, and the new one can be replaced.
    assert_equal_models(load_model(tmp_path / "2"), model)
    load_model(tmp_path / "1")
    model.update(X, NAMES)
    assert_equal_models(load_model(tmp_path / "2"), refit(model, X, NAMES))
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]


def test_an_interrupted_update_in_model_dir_keeps_the_model(tmp_path, monkeypatch):
    from skxmr._linear import training

    model = XRLinearClassifier(**SMALL_TREE, model_dir=tmp_path / "model")
    model.fit(*take(np.arange(200)))
    before, topk = snapshot(model), model.predict_topk(X)
    solve, calls = training.Solver.solve, []

    def fail(self, *args, **kwargs):
        calls.append(1)
        if len(calls) > 10:
            raise KeyboardInterrupt
        return solve(self, *args, **kwargs)

    monkeypatch.setattr(training.Solver, "solve", fail)
    with pytest.raises(KeyboardInterrupt):
        model.update(X, NAMES)
    for level, earlier in zip(snapshot(model), before, strict=True):
        for key, values in earlier.items():
            np.testing.assert_array_equal(level[key], values)
    np.testing.assert_array_equal(load_model(tmp_path / "model").predict_topk(X)[0], topk[0])
    monkeypatch.setattr(training.Solver, "solve", solve)
    model.update(X, NAMES)  # resumes
    assert_equal_models(model, refit(model, X, NAMES))


@pytest.mark.parametrize(
    ("X_now", "y_now", "message"),
    [
        (X[:, :30], NAMES, "X has 30 features, but XRLinearClassifier is expecting 40 features"),
        (X[:100], NAMES, "inconsistent numbers of samples"),
        (X, [["other"]] * N_ROWS, r"y must contain labels of the model, such as 'label 00', .*"),
        (X, check_targets(NAMES).indicator, "format of the fit, a list of labels per row; got an"),
        (X, [row[0] for row in NAMES], "format of the fit, a list of labels per row; got one"),
        (X * np.nan, NAMES, "NaN"),
    ],
)
@pytest.mark.parametrize("method", ["update", "forget"])
def test_invalid_data_are_refused_and_the_model_stays(X_now, y_now, message, method):
    model = XRLinearClassifier(**SMALL_TREE).fit(X, NAMES)
    state = dict(vars(model))
    message = "y must contain" if method == "forget" and "such as" in message else message
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(X_now, y_now)
    assert vars(model) == state


def test_invalid_arguments_are_refused():
    Y = check_targets(NAMES).indicator
    model = XRLinearClassifier(**SMALL_TREE).fit(X, Y)
    with pytest.raises(ValueError, match=r"y must have at least 60 columns.*got 59"):
        model.update(X, Y[:, :59])
    with pytest.raises(ValueError, match="upper_levels"):
        model.update(X, Y, upper_levels="all")
    model = XRLinearClassifier(**SMALL_TREE).fit(*take(np.arange(300), lambda n: n < "label 50"))
    with pytest.raises(ValueError, match=r"got 10 others: 'label 50', .*'label 54' and 5 more"):
        model.forget(X, NAMES)
    with pytest.raises(ValueError, match="labels must contain only labels of classes_.*'x'"):
        model.forget(X[:1], [["label 01"]], labels=["x"])
    with pytest.raises(ValueError, match="labels must contain each label once"):
        model.forget(X[:1], [["label 01"]], labels=["label 01", "label 01"])
    with pytest.raises(ValueError, match="labels must leave at least one label"):
        model.forget(X[:1], [["label 01"]], labels=["label 01"])


def test_new_rows_alone_are_refused():
    model = XRLinearClassifier(**SMALL_TREE).fit(X, NAMES)
    part = take(np.arange(15))
    n_lost = 60 - len({label for row in part[1] for label in row})
    message = rf"{n_lost} of 60 do not occur in y: .* and {n_lost - 5} more\. X and y must be all"
    with pytest.raises(ValueError, match=message):
        model.update(*part)
    with pytest.raises(ValueError, match="must be the rows that remain, not those to forget"):
        model.forget(*part)
    removed = np.setdiff1d(model.classes_, functools.reduce(operator.iadd, part[1], []))
    assert len(model.forget(*part, labels=removed).classes_) == 60 - n_lost
    Y = check_targets(NAMES).indicator
    model = XRLinearClassifier(**SMALL_TREE).fit(X, Y)
    with pytest.raises(ValueError, match=rf"{n_lost} of 60 do not occur in y: .* all current rows"):
        model.update(X[:15], Y[:15])


def test_a_saved_pipeline_is_not_replaced_by_its_classifier(tmp_path):
    model = make_text_classifier(random_state=0, model_dir=tmp_path / "1").fit(TEXTS, TOPICS)
    save_model(model, tmp_path / "2")
    model.set_params(classifier__model_dir=tmp_path / "2")
    for call in (model.fit, model.update):
        with pytest.raises(FileExistsError, match="of the class Pipeline; it would be"):
            call(TEXTS, TOPICS)
    assert load_model(tmp_path / "2").suggest(TEXTS[:1], k=1)[0][0][0] in ("fruit", "red")


@pytest.mark.parametrize(
    "params", [{"ranker": LogisticRegression()}, {"matcher": KNeighborsClassifier()}], ids=repr
)
def test_custom_matchers_and_rankers_are_refused(params):
    model = XRLinearClassifier(**SMALL_TREE, **params).fit(X, NAMES)
    with pytest.raises(ValueError, match="update needs linear models on all levels"):
        model.update(X, NAMES)


def test_models_of_versions_without_seeds_are_refused():
    model = XRLinearClassifier(**SMALL_TREE).fit(X, NAMES)
    model._model.seed = None
    with pytest.raises(ValueError, match="update needs the seed .* earlier version"):
        model.update(X, NAMES)


def test_a_saved_text_pipeline_can_be_updated(tmp_path):
    model = make_text_classifier(random_state=0).fit(TEXTS, TOPICS)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    texts, topics = [*TEXTS, "an old red bus"], [*TOPICS, ["bus", "red"]]
    loaded.update(texts, topics)
    assert loaded.suggest(["old red bus"], k=1)[0][0][0] in ("bus", "red")
    rows = loaded[:-1].transform(texts)
    assert_equal_models(loaded[-1], refit(loaded[-1], rows, topics))
    loaded.forget(TEXTS[:3], TOPICS[:3])
    assert loaded.classes_.tolist() == ["fruit", "red", "vehicle"]


def test_pipelines_warn_about_unknown_words():
    model = make_text_classifier(random_state=0).fit(TEXTS, TOPICS)
    with pytest.warns(UserWarning, match=r"80% .* last 1 rows .* 4 words, such as 'green', 'gr"):
        model.update([*TEXTS, "two red green plums grow"], [*TOPICS, ["fruit"]])
    for more in ([""], ["red apples"]):  # nothing to warn about
        model.update([*TEXTS, *more], [*TOPICS, ["fruit"]])
        model.update((text for text in [*TEXTS, *more]), [*TOPICS, ["fruit"]])
    unknown = find_unknown_terms(model[0], ["plums and red plums"])
    assert unknown.counts == {"plums": 2, "and": 1}
    assert unknown.fraction == 0.75
