"""The table of other packages in the guide is correct for the installed versions.

Each test is skipped if its package is missing. Install all with
``pip install -r tests/ecosystem/requirements.txt``.
"""

import re
from functools import partial

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.fixes import parse_version

from helpers.pages import ROOT, run_code
from skxmr import XRLinearClassifier, make_text_classifier
from skxmr.calibration import CalibratedMultilabelClassifierCV
from skxmr.compose import ColumnTransformer
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import topk_scorer
from skxmr.model_selection import cross_val_score
from skxmr.pipeline import MixedMatrix, Pipeline, make_pipeline
from skxmr.text import TfidfVectorizer

PAGE = ROOT / "doc" / "guide" / "ecosystem.md"
P1 = topk_scorer("precision", k=1)
TEXTS = ["red apples", "ripe pears", "a fast car", "an old bus"] * 10
TAGS = [["fruit", "red"], ["fruit"], ["vehicle"], ["vehicle", "old"]] * 10

pytestmark = [
    pytest.mark.skipif(not PAGE.exists(), reason="no source checkout around the tests"),
    # Warnings of other packages do not matter here.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def data():
    return make_extreme_multilabel(n_samples=200, n_features=150, n_labels=30, random_state=0)


def classifier(**params):
    return XRLinearClassifier(max_leaf_size=10, random_state=0, **params)


def text_classifier(**params):
    return make_text_classifier(random_state=0, **params)


def make_frame():
    pandas = pytest.importorskip("pandas")
    columns = {
        "title": TEXTS,
        "price": np.tile([2.0, 3.0, np.nan, 20_000.0], 10),
        "color": np.tile(["red", "green", "blue", "gray"], 10),
        "sold": pandas.date_range("2026-01-01", periods=40),
    }
    return pandas.DataFrame(columns)


def to_names(Y):
    return [row.tolist() for row in np.split(Y.indices, Y.indptr[1:-1])]


def assert_same_model(loaded, model, rows, y):
    """Both models give equal predictions, also after an update."""
    assert type(loaded) is type(model)
    for got, expected in zip(loaded.predict_topk(rows), model.predict_topk(rows), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert loaded.suggest(rows) == model.suggest(rows)
    assert repr(clone(loaded)) == repr(clone(model))
    assert loaded.update(rows, y).forget(rows, y).suggest(rows[:1], k=1)


def assert_only_wrapped_model_ranks(wrapper, model):
    for method in ("predict_topk", "suggest", "update", "forget"):
        assert not hasattr(wrapper, method)
        assert hasattr(model, method)


class DoubleFirstRows(BaseEstimator):
    """Custom sampler that accepts sparse targets."""

    def fit(self, X, y=None):
        return self

    def fit_resample(self, X, y):
        rows = np.r_[np.arange(X.shape[0]), :10]
        return X[rows], y[rows]


def check_optuna_study(X, Y):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        model = classifier(C=trial.suggest_float("C", 0.1, 2.0, log=True))
        return cross_val_score(model, X, Y, scoring=P1, cv=2).mean()

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=2)
    best = classifier(**study.best_params)
    assert cross_val_score(best, X, Y, scoring=P1, cv=2).mean() == study.best_value > 0.3


def make_optuna_search(model, name):
    integration = pytest.importorskip("optuna_integration")
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    grid = {name: optuna.distributions.FloatDistribution(0.1, 2.0, log=True)}
    return integration.OptunaSearchCV(
        model, grid, scoring=P1, cv=KFold(2), n_trials=2, random_state=0
    )


def check_optuna_search(X, Y):
    search = make_optuna_search(classifier(), "C").fit(X, Y)
    assert search.best_score_ > 0.5  # raises if all trials failed


def check_table_vectorizer(X, Y):
    skrub = pytest.importorskip("skrub")
    frame = make_frame()
    table = make_pipeline(skrub.TableVectorizer(), SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [("words", TfidfVectorizer(), "title"), ("table", table, ["price", "color", "sold"])],
        sparse_threshold=1,
    )
    model = make_pipeline(columns, classifier()).fit(frame, TAGS)
    assert isinstance(columns.fit_transform(frame), MixedMatrix)
    assert P1(model, frame, TAGS) == 1.0
    assert model.explain(frame.iloc[[0]], "fruit").rank == 1
    assert model.update(frame, TAGS).forget(frame, TAGS).suggest(frame) == model.suggest(frame)
    assert P1(clone(model).fit(frame, TAGS), frame, TAGS) == 1.0


def check_tabular_pipeline(X, Y):
    skrub = pytest.importorskip("skrub")
    frame = make_frame()
    model = skrub.tabular_pipeline(classifier()).fit(frame, TAGS)
    assert P1(model, frame, TAGS) == 1.0
    assert_only_wrapped_model_ranks(model, Pipeline(model.steps))
    ranked = Pipeline(model.steps)
    assert ranked.suggest(frame[:1], k=1)[0][0][0] == "fruit"
    assert ranked.update(frame, TAGS).predict(frame)[0] == ("fruit", "red")


def check_imblearn_pipeline(X, Y):
    imblearn = pytest.importorskip("imblearn.pipeline")
    model = imblearn.make_pipeline(DoubleFirstRows(), classifier()).fit(X, Y)
    doubled = DoubleFirstRows().fit_resample(X, Y)
    expected = classifier().fit(*doubled)
    assert (model.predict_proba(X) != expected.predict_proba(X)).nnz == 0
    assert P1(model, X, Y) == P1(expected, X, Y)
    assert cross_val_score(clone(model), X, Y, scoring=P1, cv=2).shape == (2,)
    assert model.get_params()["xrlinearclassifier__C"] == 1.0
    kept = Pipeline([step for step in model.steps if not hasattr(step[1], "fit_resample")])
    assert_only_wrapped_model_ranks(model, kept)
    assert kept.suggest(X) == expected.suggest(X)
    texts = imblearn.make_pipeline(TfidfVectorizer(), classifier()).fit(TEXTS, TAGS)
    assert Pipeline(texts.steps).update(TEXTS, TAGS).suggest(TEXTS[:1], k=1)[0][0][0] == "fruit"


def make_sampler_check(module, name):
    def check(X, Y):
        imblearn = pytest.importorskip("imblearn.pipeline")
        sampler = getattr(pytest.importorskip(f"imblearn.{module}"), name)(random_state=0)
        y = np.arange(X.shape[0]) % 5
        y[:80] = 0
        model = imblearn.make_pipeline(sampler, classifier()).fit(X, y)  # one class per row
        assert model.predict(X).shape == y.shape
        for target in (Y.toarray(), Y):
            imblearn.make_pipeline(sampler, classifier()).fit(X, target)

    return check


def check_function_sampler(X, Y):
    sampler = pytest.importorskip("imblearn").FunctionSampler(
        func=DoubleFirstRows().fit_resample, validate=False
    )
    pytest.importorskip("imblearn.pipeline").make_pipeline(sampler, classifier()).fit(X, Y)


def round_trip_joblib(model, path):
    joblib.dump(model, path)
    return joblib.load(path)


def round_trip_cloudpickle(model, path):
    cloudpickle = pytest.importorskip("cloudpickle")
    return cloudpickle.loads(cloudpickle.dumps(model))


def round_trip_skops(model, path):
    skops = pytest.importorskip("skops.io")
    skops.dump(model, path)
    types = skops.get_untrusted_types(file=path)
    assert all(name.startswith("skxmr.") or name == "numpy.dtype" for name in types)
    return skops.load(path, trusted=types)


def round_trip_mlflow(model, path):
    flavor = pytest.importorskip("mlflow.sklearn")
    skops = pytest.importorskip("skops.io")
    # With pip_requirements, MLflow does not look for them, which takes seconds.
    save = partial(flavor.save_model, model, pip_requirements=["skxmr"])
    save(path / "pickled", serialization_format="cloudpickle")
    types = skops.get_untrusted_types(data=skops.dumps(model))
    save(path / "skops", skops_trusted_types=types)
    loaded = flavor.load_model(str(path / "skops"))
    assert type(loaded) is type(model)
    return flavor.load_model(str(path / "pickled"))


def make_file_check(round_trip):
    def check(X, Y, path):
        for model, rows, y in ((classifier(), X, Y), (text_classifier(), TEXTS, TAGS)):
            model.fit(rows, y)
            assert_same_model(round_trip(model, path / type(model).__name__), model, rows, y)

    return check


def check_parallel_post_fit(X, Y):
    wrappers = pytest.importorskip("dask_ml.wrappers")
    array = pytest.importorskip("dask.array")
    model = wrappers.ParallelPostFit(classifier()).fit(X, Y)
    blocks = array.from_array(X.toarray(), chunks=(50, -1))
    for method in ("predict", "predict_proba"):
        result = getattr(model, method)(blocks).compute()
        assert sp.issparse(result)
        assert (result != getattr(model.estimator, method)(X)).nnz == 0
    texts = wrappers.ParallelPostFit(text_classifier()).fit(TEXTS, TAGS)
    with pytest.raises(IndexError):
        texts.predict(array.from_array(np.array(TEXTS, dtype=object), chunks=10))
    assert P1(model, X, Y) == P1(model.estimator, X, Y)
    assert clone(model).get_params()["estimator__C"] == 1.0
    assert_only_wrapped_model_ranks(model, model.estimator)


FILE_CHECKS = {
    "joblib.dump": make_file_check(round_trip_joblib),
    "cloudpickle": make_file_check(round_trip_cloudpickle),
    "skops.io": make_file_check(round_trip_skops),
    "mlflow.sklearn": make_file_check(round_trip_mlflow),
}
CHECKS = {
    "optuna.create_study": check_optuna_study,
    "OptunaSearchCV": check_optuna_search,
    "TableVectorizer": check_table_vectorizer,
    "tabular_pipeline": check_tabular_pipeline,
    "imblearn.pipeline.Pipeline": check_imblearn_pipeline,
    "RandomOverSampler": make_sampler_check("over_sampling", "RandomOverSampler"),
    "RandomUnderSampler": make_sampler_check("under_sampling", "RandomUnderSampler"),
    "SMOTE": make_sampler_check("over_sampling", "SMOTE"),
    "FunctionSampler": check_function_sampler,
    "ParallelPostFit": check_parallel_post_fit,
    **FILE_CHECKS,
}


def read_table():
    """Return a dict from each tool to (package, tested version, entry in the column "works")."""
    if not PAGE.exists():
        return {}
    table = PAGE.read_text().partition("| tool | version tested | works | note |\n")[2]
    rows = re.findall(
        r"^\| (`.*?) \| (\S+) (\S+) \| (\w+) \|.*\|$", table.partition("\n\n")[0], re.MULTILINE
    )
    return {name: row for names, *row in rows for name in re.findall(r"`([\w.]+)`", names)}


def test_table_of_guide_lists_all_checked_packages():
    assert set(read_table()) == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_package_works_as_table_of_guide_says(name, data, tmp_path):
    works = read_table()[name][2]
    args = (*data, tmp_path) if name in FILE_CHECKS else data
    if works == "yes":
        CHECKS[name](*args)
    else:
        assert works == "no"
        with pytest.raises(ValueError, match=r"No trials|[Mm]ultilabel|more than 1 class"):
            CHECKS[name](*args)


def test_optuna_search_accepts_labels_per_row_and_text_classifiers(data):
    X, Y = data
    search = make_optuna_search(classifier(), "C").fit(X, to_names(Y))
    assert P1(search, X, to_names(Y)) > 0.5
    assert_only_wrapped_model_ranks(search, search.best_estimator_)
    assert search.best_estimator_.suggest(X[:1], k=2) == clone(search).fit(
        X, to_names(Y)
    ).best_estimator_.suggest(X[:1], k=2)
    search = make_optuna_search(text_classifier(), "classifier__C").fit(TEXTS, TAGS)
    assert search.best_score_ == 1.0


def test_cloudpickle_saves_local_functions():
    cloudpickle = pytest.importorskip("cloudpickle")
    model = text_classifier().set_params(vectorizer__preprocessor=lambda text: text.upper())
    model.fit(TEXTS, TAGS)
    assert cloudpickle.loads(cloudpickle.dumps(model)).suggest(TEXTS) == model.suggest(TEXTS)


@pytest.mark.parametrize("name", ["cloudpickle", "joblib"])
def test_files_keep_metadata_requests(name, tmp_path):
    round_trip = {"cloudpickle": round_trip_cloudpickle, "joblib": round_trip_joblib}[name]
    with config_context(enable_metadata_routing=True):
        model = classifier().set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight="w")
    scorer = P1.set_score_request(sample_weight=True, ignore="pairs")
    for value in (model, scorer):
        loaded = round_trip(value, tmp_path / "value")
        assert str(loaded.get_metadata_routing()) == str(value.get_metadata_routing())


def test_skops_saves_scorers_and_calibrated_models(data, tmp_path):
    scorer = P1.set_score_request(sample_weight=True, ignore="pairs")
    loaded = round_trip_skops(scorer, tmp_path / "scorer")
    assert str(loaded.get_metadata_routing()) == str(scorer.get_metadata_routing())
    model = CalibratedMultilabelClassifierCV(classifier(), cv=2).fit(*data)
    loaded = round_trip_skops(model, tmp_path / "model")
    assert loaded.suggest(data[0]) == model.suggest(data[0])


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="scikit-learn before 1.9 works",
)
def test_skops_cannot_save_metadata_requests_of_any_estimator(tmp_path):
    # The user guide documents this. The test fails if skops changes it.
    skops = pytest.importorskip("skops.io")
    with config_context(enable_metadata_routing=True):
        model = LinearSVC().set_fit_request(sample_weight=True)
    with pytest.raises(RecursionError):
        skops.dumps(model)


def test_guide_code_for_other_packages_prints_documented_output(capsys, tmp_path, monkeypatch):
    pytest.importorskip("skrub")
    pytest.importorskip("skops.io")
    monkeypatch.chdir(tmp_path)
    run_code(PAGE, capsys, languages="python|py")
