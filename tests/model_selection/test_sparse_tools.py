"""What the guide says of scikit-learn's tools and a sparse y is so on the installed version."""

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
ROOMS = [
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


def ours(**params):
    return XRLinearClassifier(max_leaf_size=10, random_state=0, **params)


def tool(name):
    return next(getattr(room, name) for room in ROOMS if hasattr(room, name))


def predicts(name, *args):
    """Fit a classifier, and predict an indicator."""

    def use(X, Y):
        predicted = tool(name)(*args).fit(X, Y).predict(X)
        assert getattr(predicted, "shape", None) == Y.shape, "nonsense"
        assert predicted.dtype.kind != "O", "nonsense"

    return use


def searches(name, grid):
    def use(X, Y):
        assert tool(name)(ours(), grid, scoring=P1, cv=2, error_score="raise").fit(X, Y)

    return use


def validates(name, **params):
    def use(X, Y):
        assert len(tool(name)(ours(), X, Y, cv=2, **params))

    return use


def splits(name, *args):
    def use(X, Y):
        assert len(list(tool(name)(*args).split(X, Y))) == 2

    return use


def measures(name, method, **params):
    def use(X, Y):
        assert np.isfinite(tool(name)(Y, getattr(ours().fit(X, Y), method)(X), **params))

    return use


def predicts_out_of_fold(method):
    def use(X, Y):
        predicted = sklearn.model_selection.cross_val_predict(ours(), X, Y, cv=2, method=method)
        assert sp.issparse(predicted)

    return use


def splits_once(X, Y):
    parts = sklearn.model_selection.train_test_split(X, Y)
    assert sp.issparse(parts[3])


PICK = sklearn.feature_selection.SelectKBest(sklearn.feature_selection.chi2, k=50)
GRID = {"beam_width": [1, 5]}
USES = {
    "Pipeline": predicts("Pipeline", [("classifier", ours())]),
    "SelectKBest": predicts("Pipeline", [("pick", PICK), ("classifier", ours())]),
    "OneVsRestClassifier": predicts("OneVsRestClassifier", LogisticRegression()),
    "train_test_split": splits_once,
    "KFold": splits("KFold", 2),
    "ShuffleSplit": splits("ShuffleSplit", 2),
    "StratifiedKFold": splits("StratifiedKFold", 2),
    "StratifiedShuffleSplit": splits("StratifiedShuffleSplit", 2),
    "GridSearchCV": searches("GridSearchCV", GRID),
    "RandomizedSearchCV": searches("RandomizedSearchCV", {"beam_width": list(range(1, 20))}),
    "HalvingGridSearchCV": searches("HalvingGridSearchCV", GRID),
    "HalvingRandomSearchCV": searches("HalvingRandomSearchCV", GRID),
    "cross_val_score": validates("cross_val_score", scoring=P1),
    "cross_validate": validates("cross_validate", scoring=P1),
    "learning_curve": validates("learning_curve", scoring=P1),
    "validation_curve": validates(
        "validation_curve", scoring=P1, param_name="beam_width", param_range=[1, 2]
    ),
    "permutation_test_score": validates("permutation_test_score", scoring=P1, n_permutations=2),
    "cross_val_predict": predicts_out_of_fold("predict"),
    **{
        name: measures(name, "predict", average="micro")
        for name in ("f1_score", "precision_score", "recall_score", "jaccard_score")
    },
    **{name: measures(name, "predict") for name in ("accuracy_score", "hamming_loss")},
    **{
        name: measures(name, "predict_proba")
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
    "MultiOutputClassifier": predicts("MultiOutputClassifier", ours()),
    "KNeighborsClassifier": predicts("KNeighborsClassifier"),
    "ClassifierChain": predicts("ClassifierChain", ours()),
    "StackingClassifier": predicts("StackingClassifier", [("a", ours())], LogisticRegression()),
    "VotingClassifier": predicts("VotingClassifier", [("a", ours())]),
    "BaggingClassifier": predicts("BaggingClassifier", ours(), 2),
    "AdaBoostClassifier": predicts("AdaBoostClassifier", ours()),
    "CalibratedClassifierCV": predicts("CalibratedClassifierCV", ours()),
    "TunedThresholdClassifierCV": predicts("TunedThresholdClassifierCV", ours()),
    "FixedThresholdClassifier": predicts("FixedThresholdClassifier", ours()),
    "RandomForestClassifier": predicts("RandomForestClassifier", 2),
    "LogisticRegression": predicts("LogisticRegression"),
}


def claims():
    """Return {tool: what the table says of it}."""
    if not PAGE.exists():
        return {}
    table = PAGE.read_text().partition("| tool | with a sparse y | in its place |\n")[2]
    rows = re.findall(r"^\| (`.*?) \| (\w+).*? \|.*\|$", table.partition("\n\n")[0], re.MULTILINE)
    assert len(rows) > 10
    return {name: says for names, says in rows for name in re.findall(r"`(\w+)`", names)}


@pytest.fixture(scope="module")
def small():
    X, Y = make_extreme_multilabel(n_samples=300, n_features=200, n_labels=40, random_state=0)
    frequent = np.asarray(Y.sum(axis=0)).ravel() > 3
    return X, sp.csr_matrix(Y[:, frequent])


def test_the_table_is_of_what_is_tried():
    assert set(claims()) == set(USES)


@pytest.mark.parametrize("name", USES)
def test_it_is_as_the_table_says(name, small):
    says = claims()[name]
    if says in ("work", "works"):
        USES[name](*small)
    elif says in ("refuse", "refuses"):
        with pytest.raises((TypeError, ValueError, NotImplementedError)):
            USES[name](*small)
    else:
        assert says == "wrong"
        with pytest.raises(AssertionError, match="nonsense"):
            USES[name](*small)


def test_cross_val_predict_of_scikit_learn_has_no_probabilities(small):
    with pytest.raises(IndexError):
        predicts_out_of_fold("predict_proba")(*small)
