"""The table of scikit-learn tools and sparse y in the guide is correct for this version."""

import re

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.calibration
import sklearn.compose
import sklearn.ensemble
import sklearn.feature_selection
import sklearn.frozen
import sklearn.inspection
import sklearn.linear_model
import sklearn.metrics
import sklearn.multiclass
import sklearn.multioutput
import sklearn.neighbors
import sklearn.pipeline
import sklearn.preprocessing
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

import skxmr.compose
import skxmr.pipeline
from helpers.pages import ROOT
from skxmr import HierarchicalLabelTree, XRLinearClassifier, make_text_classifier
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import topk_scorer
from skxmr.pipeline import make_pipeline
from skxmr.text import TextEmbedder, TfidfVectorizer

PAGE = ROOT / "doc" / "guide" / "ecosystem.md"
P1 = topk_scorer("precision", k=1)
MODULES = [
    sklearn.calibration,
    sklearn.compose,
    sklearn.ensemble,
    sklearn.feature_selection,
    sklearn.frozen,
    sklearn.inspection,
    sklearn.linear_model,
    sklearn.metrics,
    sklearn.model_selection,
    sklearn.multiclass,
    sklearn.multioutput,
    sklearn.neighbors,
    sklearn.pipeline,
]

pytestmark = [
    pytest.mark.skipif(not PAGE.exists(), reason="no source checkout around the tests"),
    pytest.mark.filterwarnings("ignore"),
]


TEXTS = ["red apples", "ripe pears", "a fast car", "an old bus"] * 10
TOPICS = [["fruit"], ["fruit"], ["vehicle"], ["vehicle", "old"]] * 10


class Lengths:
    def encode(self, texts):
        return np.array([[len(text)] for text in texts], dtype=np.float32)


def classifier(**params):
    return XRLinearClassifier(max_leaf_size=10, random_state=0, **params)


def get_tool(name):
    return next(getattr(module, name) for module in MODULES if hasattr(module, name))


def make_predict_check(name, *args):
    """Return a check that fits a classifier and predicts an indicator."""

    def check(X, Y):
        predicted = get_tool(name)(*args).fit(X, Y).predict(X)
        assert getattr(predicted, "shape", None) == Y.shape, "wrong result"
        assert predicted.dtype.kind != "O", "wrong result"

    return check


def make_search_check(name, grid, **params):
    def check(X, Y):
        search = get_tool(name)(
            classifier(), grid, scoring=P1, cv=KFold(2), error_score="raise", **params
        ).fit(X, Y)
        assert len(search.best_estimator_.suggest(X[:1], k=2)[0]) == 2
        assert not hasattr(search, "suggest")

    return check


def make_validation_check(name, **params):
    def check(X, Y):
        assert len(get_tool(name)(classifier(), X, Y, cv=2, **params))

    return check


def make_split_check(name, *args):
    def check(X, Y):
        assert len(list(get_tool(name)(*args).split(X, Y))) == 2

    return check


def make_metric_check(name, method, **params):
    def check(X, Y):
        assert np.isfinite(get_tool(name)(Y, getattr(classifier().fit(X, Y), method)(X), **params))

    return check


def make_out_of_fold_check(method):
    def check(X, Y):
        predicted = sklearn.model_selection.cross_val_predict(
            classifier(), X, Y, cv=2, method=method
        )
        assert sp.issparse(predicted)

    return check


def check_train_test_split(X, Y):
    parts = sklearn.model_selection.train_test_split(X, Y)
    assert sp.issparse(parts[3])


def check_permutation_importance(X, Y):
    model = classifier().fit(X, Y)
    sklearn.inspection.permutation_importance(model, X.toarray(), Y, scoring=P1, n_repeats=1)


def check_frozen(X, Y):
    model = classifier().fit(X, Y)
    frozen = get_tool("FrozenEstimator")(model)
    assert clone(frozen).suggest(X[:3], k=2) == model.suggest(X[:3], k=2)
    assert frozen.update(X, Y) is model
    assert frozen.forget(X, Y) is model


def check_fit_request(X, Y):
    weights = np.random.default_rng(0).random(X.shape[0]) + 0.1
    expected = classifier().fit(X, Y, sample_weight=weights)
    with sklearn.config_context(enable_metadata_routing=True):
        model = classifier().set_fit_request(sample_weight=True)
        search = GridSearchCV(model, {}, scoring=P1, cv=KFold(2)).fit(X, Y, sample_weight=weights)
    assert (search.predict_proba(X) != expected.predict_proba(X)).nnz == 0
    assert (search.predict_proba(X) != classifier().fit(X, Y).predict_proba(X)).nnz > 0


def check_score_request(X, Y):
    half = X.shape[0] // 2
    weights = np.random.default_rng(0).random(X.shape[0])
    splits = [(np.arange(half), np.arange(half, X.shape[0]))]
    model = classifier().fit(X[:half], Y[:half])
    expected = {
        "topk": P1(model, X[half:], Y[half:], sample_weight=weights[half:]),
        "score": model.score(X[half:], Y[half:], sample_weight=weights[half:]),
    }
    assert expected["topk"] != P1(model, X[half:], Y[half:])
    with sklearn.config_context(enable_metadata_routing=True):
        scored = classifier().set_fit_request(sample_weight=False)
        scored.set_score_request(sample_weight=True)
        for name, scoring in (("topk", P1.set_score_request(sample_weight=True)), ("score", None)):
            search = GridSearchCV(scored, {}, scoring=scoring, cv=splits, refit=False)
            search.fit(X, Y, sample_weight=weights)
            assert search.cv_results_["mean_test_score"][0] == pytest.approx(expected[name])


def check_set_output(X, Y):
    pytest.importorskip("pandas")
    tree = HierarchicalLabelTree(2, 5, sparse_output=False).set_output(transform="pandas")
    assert list(tree.fit_transform(X[:30]).columns[:1]) == ["hierarchicallabeltree0"]
    embedder = TextEmbedder(Lengths()).set_output(transform="pandas")
    assert list(embedder.fit_transform(["a", "bb"]).columns) == ["textembedder0"]
    scaler = StandardScaler().set_output(transform="pandas")
    model = make_pipeline(scaler, classifier()).fit(X.toarray(), Y)
    assert list(model[-1].feature_names_in_[:1]) == ["x0"]
    with pytest.raises(ValueError, match="sparse_output=False"):
        HierarchicalLabelTree().set_output(transform="pandas")
    assert not hasattr(TfidfVectorizer(), "set_output")


def check_transform_output(X, Y):
    pytest.importorskip("pandas")
    mixed = make_text_classifier(embedder=Lengths(), random_state=0)
    with sklearn.config_context(transform_output="pandas"):
        model = make_text_classifier(random_state=0).fit(TEXTS, TOPICS)
        assert model.suggest(TEXTS[:1], k=1)[0][0][0] == "fruit"
        model = make_pipeline(StandardScaler(), classifier()).fit(X.toarray(), Y)
        assert list(model[-1].feature_names_in_[:1]) == ["x0"]
        with pytest.raises(ValueError, match="transform_output must be 'default'"):
            mixed.fit(TEXTS, TOPICS)
        with sklearn.config_context(transform_output="default"):
            assert mixed.fit(TEXTS, TOPICS).suggest(TEXTS[:1], k=1)[0][0][0] == "fruit"


def check_union(X, Y):
    texts, topics = TEXTS, TOPICS
    for module in (sklearn.pipeline, skxmr.pipeline):
        parts = [("words", TfidfVectorizer()), ("lengths", TextEmbedder(Lengths()))]
        model = make_pipeline(module.FeatureUnion(parts), classifier()).fit(texts, topics)
        assert model.suggest(texts[:1], k=1)[0][0][0] == "fruit"


def check_columns(X, Y):
    frame = pytest.importorskip("pandas").DataFrame({"title": TEXTS, "price": np.arange(40.0)})
    for module in (sklearn.compose, skxmr.compose):
        parts = [("words", TfidfVectorizer(), "title"), ("price", MaxAbsScaler(), ["price"])]
        columns = module.ColumnTransformer(parts, sparse_threshold=1)
        model = make_pipeline(columns, classifier()).fit(frame, TOPICS)
        assert model.suggest(frame[:1], k=1)[0][0][0] == "fruit"


def check_clone(X, Y):
    for model in (classifier(C=2.0), make_text_classifier(C=2.0)):
        name = "C" if isinstance(model, XRLinearClassifier) else "classifier__C"
        assert clone(model).get_params()[name] == 2.0
        assert clone(model).set_params(**{name: 3.0}).get_params()[name] == 3.0
        assert repr(clone(model)) == repr(model)


SELECT_FEATURES = sklearn.feature_selection.SelectKBest(sklearn.feature_selection.chi2, k=50)
GRID = {"beam_width": [1, 5]}
CHECKS = {
    "FeatureUnion": check_union,
    "ColumnTransformer": check_columns,
    "permutation_importance": check_permutation_importance,
    "FrozenEstimator": check_frozen,
    "set_fit_request": check_fit_request,
    "set_score_request": check_score_request,
    "set_output": check_set_output,
    "transform_output": check_transform_output,
    "clone": check_clone,
    "get_params": check_clone,
    "set_params": check_clone,
    "Pipeline": make_predict_check("Pipeline", [("classifier", classifier())]),
    "SelectKBest": make_predict_check(
        "Pipeline", [("select", SELECT_FEATURES), ("classifier", classifier())]
    ),
    "OneVsRestClassifier": make_predict_check("OneVsRestClassifier", LogisticRegression()),
    "train_test_split": check_train_test_split,
    "KFold": make_split_check("KFold", 2),
    "ShuffleSplit": make_split_check("ShuffleSplit", 2),
    "StratifiedKFold": make_split_check("StratifiedKFold", 2),
    "StratifiedShuffleSplit": make_split_check("StratifiedShuffleSplit", 2),
    "GridSearchCV": make_search_check("GridSearchCV", GRID),
    "RandomizedSearchCV": make_search_check(
        "RandomizedSearchCV", {"beam_width": list(range(1, 20))}
    ),
    "HalvingGridSearchCV": make_search_check(
        "HalvingGridSearchCV", GRID, min_resources=100, factor=2
    ),
    "HalvingRandomSearchCV": make_search_check(
        "HalvingRandomSearchCV", GRID, min_resources=100, factor=2
    ),
    "cross_val_score": make_validation_check("cross_val_score", scoring=P1),
    "cross_validate": make_validation_check("cross_validate", scoring=P1),
    "learning_curve": make_validation_check("learning_curve", scoring=P1),
    "validation_curve": make_validation_check(
        "validation_curve", scoring=P1, param_name="beam_width", param_range=[1, 2]
    ),
    "permutation_test_score": make_validation_check(
        "permutation_test_score", scoring=P1, n_permutations=2
    ),
    "cross_val_predict": make_out_of_fold_check("predict"),
    **{
        name: make_metric_check(name, "predict", average="micro")
        for name in ("f1_score", "precision_score", "recall_score", "jaccard_score")
    },
    **{name: make_metric_check(name, "predict") for name in ("accuracy_score", "hamming_loss")},
    **{
        name: make_metric_check(name, "predict_proba")
        for name in (
            "label_ranking_average_precision_score",
            "coverage_error",
            "label_ranking_loss",
            "ndcg_score",
            "top_k_accuracy_score",
            "roc_auc_score",
            "average_precision_score",
            "log_loss",
        )
    },
    "MultiOutputClassifier": make_predict_check("MultiOutputClassifier", classifier()),
    "KNeighborsClassifier": make_predict_check("KNeighborsClassifier"),
    "ClassifierChain": make_predict_check("ClassifierChain", classifier()),
    "StackingClassifier": make_predict_check(
        "StackingClassifier", [("a", classifier())], LogisticRegression()
    ),
    "VotingClassifier": make_predict_check("VotingClassifier", [("a", classifier())]),
    "BaggingClassifier": make_predict_check("BaggingClassifier", classifier(), 2),
    "AdaBoostClassifier": make_predict_check("AdaBoostClassifier", classifier()),
    "CalibratedClassifierCV": make_predict_check("CalibratedClassifierCV", classifier()),
    "TunedThresholdClassifierCV": make_predict_check("TunedThresholdClassifierCV", classifier()),
    "FixedThresholdClassifier": make_predict_check("FixedThresholdClassifier", classifier()),
    "RandomForestClassifier": make_predict_check("RandomForestClassifier", 2),
    "LogisticRegression": make_predict_check("LogisticRegression"),
}


def read_table():
    """Return a dict from each tool to its entry in the table of the guide."""
    if not PAGE.exists():
        return {}
    table = PAGE.read_text().partition("| tool | works | note |\n")[2]
    rows = re.findall(r"^\| (`.*?) \| (\w+).*? \|.*\|$", table.partition("\n\n")[0], re.MULTILINE)
    assert len(rows) > 10
    return {
        name: entry for names, entry in rows for name in re.findall(r"`(?:[\w.]+\.)?(\w+)`", names)
    }


@pytest.fixture(scope="module")
def small_data():
    X, Y = make_extreme_multilabel(n_samples=300, n_features=200, n_labels=40, random_state=0)
    frequent = np.asarray(Y.sum(axis=0)).ravel() > 3
    return X, sp.csr_matrix(Y[:, frequent])


def test_table_of_guide_lists_all_checked_tools():
    assert set(read_table()) == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_tool_behaves_as_table_of_guide_says(name, small_data):
    entry = read_table()[name]
    if entry == "yes":
        CHECKS[name](*small_data)
    elif entry == "no":
        with pytest.raises((TypeError, ValueError, NotImplementedError)):
            CHECKS[name](*small_data)
    else:
        assert entry == "wrong"
        with pytest.raises(AssertionError, match="wrong result"):
            CHECKS[name](*small_data)


def test_cross_val_predict_of_scikit_learn_raises_for_predict_proba(small_data):
    with pytest.raises(IndexError):
        make_out_of_fold_check("predict_proba")(*small_data)


def test_searches_need_a_splitter_for_labels_per_row():
    # The user guide documents this. The test fails if scikit-learn changes it.
    model = make_text_classifier(random_state=0)
    search = GridSearchCV(model, {"classifier__C": [1.0]}, scoring=P1, cv=2)
    with pytest.raises(ValueError, match="legacy multi-label"):
        search.fit(TEXTS, TOPICS)
    assert search.set_params(cv=KFold(2)).fit(TEXTS, TOPICS).best_score_ == 1.0
    predicted = search.predict(TEXTS)
    for name in ("f1_score", "accuracy_score"):
        with pytest.raises(ValueError, match="multi-label|multilabel"):
            get_tool(name)(TOPICS, predicted)


@pytest.mark.parametrize("target", ["labels per row", "dense indicator"])
def test_permutation_importance_accepts_data_frames(target):
    frame = pytest.importorskip("pandas").DataFrame({"title": TEXTS, "price": np.zeros(40)})
    y = TOPICS
    if target == "dense indicator":
        y = sklearn.preprocessing.MultiLabelBinarizer().fit_transform(TOPICS)
    columns = skxmr.compose.ColumnTransformer(
        [("words", TfidfVectorizer(), "title"), ("price", MaxAbsScaler(), ["price"])]
    )
    model = make_pipeline(columns, classifier()).fit(frame, y)
    result = sklearn.inspection.permutation_importance(
        model, frame, y, scoring=P1, n_repeats=2, random_state=0, sample_weight=np.ones(40)
    )
    assert result.importances_mean[0] > 0.2
    assert result.importances_mean[1] == 0
