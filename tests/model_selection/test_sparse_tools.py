"""The table of scikit-learn tools and sparse y in the guide is correct for this version."""

import re
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.calibration
import sklearn.ensemble
import sklearn.feature_selection
import sklearn.linear_model
import sklearn.metrics
import sklearn.multiclass
import sklearn.multioutput
import sklearn.neighbors
import sklearn.pipeline
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression

from skxmr import XRLinearClassifier
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import topk_scorer

PAGE = Path(__file__).parents[2] / "doc" / "guide" / "model_selection.md"
P1 = topk_scorer("precision", k=1)
MODULES = [
    sklearn.calibration,
    sklearn.ensemble,
    sklearn.feature_selection,
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


def make_search_check(name, grid):
    def check(X, Y):
        assert get_tool(name)(classifier(), grid, scoring=P1, cv=2, error_score="raise").fit(X, Y)

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


SELECT_FEATURES = sklearn.feature_selection.SelectKBest(sklearn.feature_selection.chi2, k=50)
GRID = {"beam_width": [1, 5]}
CHECKS = {
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
    "HalvingGridSearchCV": make_search_check("HalvingGridSearchCV", GRID),
    "HalvingRandomSearchCV": make_search_check("HalvingRandomSearchCV", GRID),
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
    table = PAGE.read_text().partition("| tool | with a sparse y | in its place |\n")[2]
    rows = re.findall(r"^\| (`.*?) \| (\w+).*? \|.*\|$", table.partition("\n\n")[0], re.MULTILINE)
    assert len(rows) > 10
    return {name: entry for names, entry in rows for name in re.findall(r"`(\w+)`", names)}


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
    if entry in ("work", "works"):
        CHECKS[name](*small_data)
    elif entry in ("refuse", "refuses"):
        with pytest.raises((TypeError, ValueError, NotImplementedError)):
            CHECKS[name](*small_data)
    else:
        assert entry == "wrong"
        with pytest.raises(AssertionError, match="wrong result"):
            CHECKS[name](*small_data)


def test_cross_val_predict_of_scikit_learn_raises_for_predict_proba(small_data):
    with pytest.raises(IndexError):
        make_out_of_fold_check("predict_proba")(*small_data)
