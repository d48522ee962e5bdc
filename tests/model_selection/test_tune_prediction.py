"""`tune_prediction`: parameters that act at prediction, chosen with stored scores."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skxmr import XRLinearClassifier
from skxmr._core.score_rule import MIN_SCORE, ScoreParams
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import label_propensities, topk_scorer
from skxmr.model_selection import cross_val_score, tune_prediction
from skxmr.model_selection._tuning_objectives import Evaluation, RankingObjective

N5 = topk_scorer("ndcg", k=5)
TRAIN, TEST = slice(0, 3000), slice(3000, 4000)


@pytest.fixture(scope="module")
def flat_data():
    """Return rows whose labels are equally frequent: a small path weight ranks better."""
    return make_extreme_multilabel(
        n_samples=4000, n_labels=600, label_exponent=0.0, background=0.4, random_state=0
    )


@pytest.fixture(scope="module")
def flat_model(flat_data):
    X, Y = flat_data
    return XRLinearClassifier(max_leaf_size=20, path_weight=1.0, random_state=0).fit(
        X[TRAIN], Y[TRAIN]
    )


def test_tuned_parameters_improve_the_ranking(flat_model, flat_data):
    X, Y = flat_data
    tuned = tune_prediction(flat_model, X[TEST], Y[TEST], scoring=N5)
    assert flat_model.path_weight == 1.0  # the classifier is not changed
    assert tuned.best_params["path_weight"] < 1
    assert tuned.initial_score == pytest.approx(N5(flat_model, X[TEST], Y[TEST]), abs=1e-12)
    better = XRLinearClassifier(max_leaf_size=20, random_state=0, **tuned.best_params)
    better.fit(X[TRAIN], Y[TRAIN])
    assert N5(better, X[TEST], Y[TEST]) == pytest.approx(tuned.best_score, abs=1e-12)
    assert tuned.best_score > tuned.initial_score + 0.005
    assert tuned.threshold is None
    assert len(tuned.results["params"]) == len(tuned.results["score"]) > 10


def test_a_difference_must_exceed_its_standard_error():
    groups = np.array([0.1, 0.5, 0.3, 0.2])
    base = Evaluation(groups.mean(), groups)
    noise = np.array([0.1, -0.1, 0.1, -0.02])  # mean 0.02, standard error 0.05
    assert not Evaluation((groups + noise).mean(), groups + noise).clearly_exceeds(base)
    gain = np.array([0.1, 0.1, 0.02, 0.1])  # mean 0.08, standard error 0.02
    assert Evaluation((groups + gain).mean(), groups + gain).clearly_exceeds(base)
    assert not base.clearly_exceeds(base)


@pytest.mark.parametrize("metric", ["precision", "coverage"])
def test_group_scores_have_the_mean_of_the_score(metric):
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 50, 1000)
    # A label is predicted correctly in half of its rows; each group has few rows per label.
    true = np.where(rng.random(1000) < 0.5, ids, rng.integers(0, 50, 1000))
    Y = sp.csr_array((np.ones(1000), true, np.arange(1001)), shape=(1000, 50))
    split = SimpleNamespace(Y=Y, groups=[slice(i, i + 50) for i in range(0, 1000, 50)])
    ranking = SimpleNamespace(indptr=np.arange(1001), ids=ids, scores=np.ones(1000, np.float32))
    objective = RankingObjective(topk_scorer(metric, k=1))
    evaluation = objective.evaluate([ranking], [split], [None])
    assert evaluation.score == pytest.approx({"precision": 0.51, "coverage": 1}[metric], abs=0.02)
    # The coverage of the groups themselves has a mean of 0.64.
    assert evaluation.group_scores.mean() == pytest.approx(evaluation.score, abs=0.005)


@pytest.mark.parametrize("metric", ["psprecision", "coverage", "macro_f1"])
def test_propensity_weight_is_tuned_for_metrics_of_rare_labels(metric):
    # Each row has a topic, which is its rare label, and a feature of the frequent label 0.
    rng = np.random.default_rng(0)
    topics = rng.integers(1, 101, 2000)
    X = sp.csr_array((np.ones(2000), (np.arange(2000), topics)), shape=(2000, 101)).tolil()
    X[:, 0] = 1.5
    X += 0.1 * sp.random_array((2000, 101), density=0.1, rng=rng)
    X, Y = sp.csr_matrix(X), sp.csr_matrix(X > 0.9)
    model = XRLinearClassifier(random_state=0).fit(X[:1000], Y[:1000])
    kwargs = {"propensities": label_propensities(Y[:1000])} if metric == "psprecision" else {}
    scorer = topk_scorer(metric, k=1, **kwargs)
    tuned = tune_prediction(model, X[1000:], Y[1000:], scoring=scorer)
    assert tuned.best_params["propensity_weight"] > 0
    assert tuned.best_score > tuned.initial_score + 0.1
    model.set_params(**tuned.best_params)
    assert scorer(model, X[1000:], Y[1000:]) == pytest.approx(tuned.best_score, abs=1e-12)


@pytest.mark.parametrize("average", ["micro", "macro", "samples"])
def test_threshold_has_the_f1_that_is_returned(flat_model, flat_data, average):
    X, Y = flat_data
    tuned = tune_prediction(flat_model, X[TEST], Y[TEST], scoring=f"f1_{average}")
    model = XRLinearClassifier(max_leaf_size=20, random_state=0, **tuned.best_params)
    P = model.fit(X[TRAIN], Y[TRAIN]).predict_proba(X[TEST])
    f1 = {
        factor: f1_score(
            Y[TEST],
            (tuned.threshold * factor <= P).astype(np.int8),
            average=average,
            zero_division=0,
        )
        for factor in (0.7, 0.9, 1.0, 1.1, 1.4)
    }
    assert tuned.best_score == pytest.approx(f1[1.0], abs=1e-6)
    assert f1[1.0] == max(f1.values())
    assert tuned.best_score >= tuned.initial_score


def test_threshold_counts_rows_with_many_labels():
    # More true labels per row than are stored for ranking metrics.
    X, Y = make_extreme_multilabel(
        n_samples=600, n_labels=300, n_labels_per_sample=70, label_exponent=0.2, random_state=0
    )
    model = XRLinearClassifier(beam_width=None, random_state=0).fit(X[:400], Y[:400])
    tuned = tune_prediction(model, X[400:], Y[400:], scoring="f1_micro")
    P = model.set_params(**tuned.best_params).predict_proba(X[400:]) >= tuned.threshold
    assert P.sum() > 50 * 200
    f1 = f1_score(Y[400:], P.astype(np.int8), average="micro")
    assert tuned.best_score == pytest.approx(f1, abs=1e-6)


def test_parameters_of_a_pipeline_have_its_prefix(flat_data):
    X, Y = flat_data
    model = make_pipeline(
        Normalizer(), XRLinearClassifier(max_leaf_size=20, path_weight=1.0, random_state=0)
    ).fit(5 * X[TRAIN], Y[TRAIN])
    tuned = tune_prediction(model, X[TEST], Y[TEST], scoring=N5)
    assert set(tuned.best_params) == {
        f"xrlinearclassifier__{name}"
        for name in ("path_weight", "score_transform", "propensity_weight")
    }
    model.set_params(**tuned.best_params)
    assert N5(model, X[TEST], Y[TEST]) == pytest.approx(tuned.best_score, abs=1e-12)


def test_cross_validation_scores_are_those_of_cross_val_score(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 10, random_state=0)
    tuned = tune_prediction(model, X, Y, scoring=N5, cv=KFold(3))
    assert not hasattr(model, "classes_")
    before = cross_val_score(model, X, Y, scoring=N5, cv=KFold(3)).mean()
    assert tuned.initial_score == pytest.approx(before, abs=1e-12)
    model.set_params(**tuned.best_params)
    after = cross_val_score(model, X, Y, scoring=N5, cv=KFold(3)).mean()
    assert tuned.best_score == pytest.approx(after, abs=1e-12)
    assert tuned.best_score >= tuned.initial_score


def test_parameters_of_fit_are_used_in_cross_validation(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 10, random_state=0)
    weights = np.random.default_rng(0).integers(1, 20, X.shape[0])
    params = {"sample_weight": weights}
    tuned = tune_prediction(model, X, Y, scoring=N5, cv=KFold(3), params=params)
    expected = cross_val_score(model, X, Y, scoring=N5, cv=KFold(3), params=params).mean()
    assert tuned.initial_score == pytest.approx(expected, abs=1e-12)
    assert expected != cross_val_score(model, X, Y, scoring=N5, cv=KFold(3)).mean()


def test_unchanged_parameters_keep_their_form(xmc_data):
    X, Y = xmc_data
    transforms = ["l2-hinge", "log-l3-hinge"]
    model = XRLinearClassifier(4, 10, random_state=0).fit(X[:400], Y[:400])
    with pytest.raises(ValueError, match="score_transform must have log- forms"):
        tune_prediction(model.set_params(score_transform=transforms), X[400:], Y[400:])
    model.set_params(score_transform="log-l3-hinge")
    tuned = tune_prediction(model, X[400:], Y[400:], scoring=N5)
    names = tuned.best_params["score_transform"]
    assert all(name.startswith("log-") for name in ([names] if isinstance(names, str) else names))
    assert {"auto", 1.0, 0.05} <= {each["path_weight"] for each in tuned.results["params"]}
    tried = {each["score_transform"] for each in tuned.results["params"]}
    assert len(tried) > 10


@pytest.mark.parametrize("changes", [{"n_trees": 2}, {"beam_width": None}, {"beam_width": 2}])
def test_score_is_that_of_predictions_for_every_search(xmc_data, changes):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 10, random_state=0, **changes).fit(X[:400], Y[:400])
    tuned = tune_prediction(model, X[400:], Y[400:], scoring=N5)
    model.set_params(**tuned.best_params)
    assert N5(model, X[400:], Y[400:]) == pytest.approx(tuned.best_score, abs=1e-12)
    again = tune_prediction(model.set_params(n_jobs=2), X[400:], Y[400:], scoring=N5)
    assert again.initial_score == tuned.best_score


def test_classes_are_tuned_too(xmc_data):
    X, Y = xmc_data
    rows = np.flatnonzero(np.diff(Y.indptr))
    y = Y.indices[Y.indptr[rows]]
    model = XRLinearClassifier(4, 10, random_state=0).fit(X[rows[:400]], y[:400])
    scorer = topk_scorer("precision", k=1)
    tuned = tune_prediction(model, X[rows[400:]], y[400:], scoring=scorer)
    model.set_params(**tuned.best_params)
    assert scorer(model, X[rows[400:]], y[400:]) == pytest.approx(tuned.best_score, abs=1e-12)


def test_stored_scores_of_an_ensemble_are_those_of_an_exact_search(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(4, 10, n_trees=3, beam_width=None, random_state=0).fit(X, Y)
    params = model._score_params()
    got = model._store_scores(X[:50], [params], 100).rank(params, 5)
    # A tree votes for its 100 best labels only; these are among the best of the mean.
    expected = model._rank_best(X[:50], 5)
    np.testing.assert_array_equal(got.ids, expected.ids)
    np.testing.assert_allclose(got.scores, expected.scores, rtol=1e-5)


DATA = make_extreme_multilabel(n_samples=300, n_features=200, n_labels=60, random_state=0)
# Small leaf clusters and a branching factor that leaves only children.
MODEL = XRLinearClassifier(2, 3, random_state=0).fit(*DATA)
TRANSFORMS = ["l1-hinge", "l2-hinge", "l3-hinge", "l4-hinge", "sigmoid", "identity"]


@given(
    st.lists(st.sampled_from(TRANSFORMS), min_size=1, max_size=4),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([1.0, 0.7, 0.05]),
    st.integers(0, 2**32 - 1),
)
def test_stored_scores_are_those_of_the_search(transforms, propensity_weight, path_weight, seed):
    X, _ = DATA
    params = ScoreParams(tuple(transforms), propensity_weight, path_weight)
    model = MODEL.set_params(
        score_transform=transforms,
        propensity_weight=propensity_weight,
        path_weight=path_weight,
        beam_width=4,
    )
    labels = np.random.default_rng(seed).random((20, 60)) < 0.2
    candidates = sp.csr_array(labels.astype(np.int8))
    stored = model._store_scores(X[:20], [params], 5)
    ranking = stored.rank(params, 5)
    expected = model._rank_best(X[:20], 5)
    for got, wanted in zip(ranking, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    # Scores of labels outside the beam are those of score_candidates, to the bit.
    tree = model._model
    rows = model._check_rows(X[:20])
    margins = tree.path_margins(rows, candidates.indptr, candidates.indices)
    scores, _ = margins.score(tree.score_rule(params))
    shown = tree.score_form(params).probabilities(scores)
    np.testing.assert_array_equal(shown, model.score_candidates(X[:20], candidates).data)
    assert shown.min(initial=1) >= MIN_SCORE


def test_invalid_arguments_are_named(flat_model, flat_data):
    X, Y = flat_data[0][TEST], flat_data[1][TEST]
    with pytest.raises(ValueError, match=r"scoring must be .*; got 'accuracy'"):
        tune_prediction(flat_model, X, Y, scoring="accuracy")
    with pytest.raises(ValueError, match=r"estimator must be an XRLinearClassifier"):
        tune_prediction(LogisticRegression(), X, Y)
    with pytest.raises(ValueError, match=r"estimator must be an XRLinearClassifier"):
        tune_prediction(make_pipeline(Normalizer(), LogisticRegression()), X, Y)
    with pytest.raises(ValueError, match='groups must be None if cv="prefit"'):
        tune_prediction(flat_model, X, Y, groups=np.zeros(1000))
    with pytest.raises(ValueError, match="X must have at least 2 held-out rows per split; got 1"):
        tune_prediction(flat_model, X[:1], Y[:1])
    with pytest.raises(ValueError, match="y must have 600 columns"):
        tune_prediction(flat_model, X, Y[:, :10])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        tune_prediction(flat_model, X, Y[:10])
    with pytest.raises(ValueError, match="cv must have at least one split; got none"):
        tune_prediction(flat_model, X, Y, cv=[])
    with pytest.raises(ValueError, match="estimator must be an XRLinearClassifier"):
        tune_prediction(FrozenEstimator(flat_model), X, Y)
    y = np.arange(1000) % 3
    classes = XRLinearClassifier(random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="scoring must be a ranking metric if y holds classes"):
        tune_prediction(classes, X, y, scoring="f1_macro")
    with pytest.raises(NotFittedError):
        tune_prediction(XRLinearClassifier(), X, Y)


def test_custom_estimators_are_refused(xmc_data):
    X, Y = xmc_data[0][:200], xmc_data[1][:200, :20]
    model = XRLinearClassifier(4, 5, random_state=0, ranker=LogisticRegression()).fit(X, Y)
    with pytest.raises(ValueError, match="ranker of the classifier must be None"):
        tune_prediction(model, X, Y)
