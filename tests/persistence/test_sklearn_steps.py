"""Saved pipelines with column transformers, scalers, selection, SVD and calibration."""

import copy
import shutil
from collections import UserList

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import (
    SelectKBest,
    chi2,
    f_classif,
    f_regression,
    mutual_info_classif,
    mutual_info_regression,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, RepeatedKFold, ShuffleSplit
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler

from helpers.manipulations import rewrite_header
from helpers.step_models import (
    FRAME,
    LABELS,
    NUMBERS,
    TEXTS,
    fit_model,
    make_classifier,
    make_columns,
    make_models,
)
from skxmr import load_model, save_model
from skxmr.calibration import (
    CalibratedMultilabelClassifierCV,
    TunedThresholdMultilabelClassifierCV,
)
from skxmr.pipeline import make_pipeline
from skxmr.text import TfidfVectorizer

MODELS = make_models()
METHODS = ("transform", "predict", "predict_proba", "predict_topk", "suggest")
CLASSES = np.arange(len(TEXTS)) % 5


def round_trip(model, folder, **kwargs):
    save_model(model, folder / "model")
    return load_model(folder / "model", **kwargs)


def assert_equal_results(got, expected):
    assert type(got) is type(expected)
    if isinstance(got, tuple):
        for values, expected_values in zip(got, expected, strict=True):
            np.testing.assert_array_equal(values, expected_values)
    elif sp.issparse(got):
        assert (got != expected).nnz == 0
    elif isinstance(got, pd.DataFrame):
        pd.testing.assert_frame_equal(got, expected)
    elif isinstance(got, np.ndarray):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)
    else:
        assert got == expected


def assert_same_model(loaded, model, rows):
    """Compare parameters, and the results of all methods before and after another fit."""
    assert repr(loaded) == repr(model)
    assert str(loaded.get_params()) == str(model.get_params())
    for name in METHODS:
        assert hasattr(loaded, name) == hasattr(model, name)
        if hasattr(model, name):
            assert_equal_results(getattr(loaded, name)(rows), getattr(model, name)(rows))


@pytest.mark.parametrize("mmap_mode", [None, "r"])
@pytest.mark.parametrize("name", MODELS)
def test_load_model_restores_nested_steps(tmp_path, name, mmap_mode):
    model, rows = MODELS[name]
    model = fit_model(clone(model), rows)
    loaded = round_trip(model, tmp_path, mmap_mode=mmap_mode)
    assert_same_model(loaded, model, rows)
    assert_same_model(fit_model(clone(loaded), rows), fit_model(clone(model), rows), rows)
    save_model(loaded, tmp_path / "again")
    assert_same_model(load_model(tmp_path / "again"), model, rows)


@pytest.mark.parametrize("remainder", ["drop", "passthrough", MaxAbsScaler()], ids=str)
def test_load_model_restores_column_transformer(tmp_path, remainder):
    columns = make_columns(remainder).fit(FRAME)
    loaded = round_trip(columns, tmp_path)
    assert_same_model(loaded, columns, FRAME)
    for name, value in vars(columns).items():
        assert repr(getattr(loaded, name)) == repr(value), name
    assert list(loaded.get_feature_names_out()) == list(columns.get_feature_names_out())
    # A data frame may have other columns, and another order.
    other = FRAME[["size", "body", "price", "title"]].assign(other=1)
    assert_equal_results(loaded.transform(other), columns.transform(FRAME))
    with pytest.raises(ValueError, match="columns are missing: {'title'}"):
        loaded.transform(FRAME.drop(columns="title"))
    assert list(loaded.named_transformers_) == list(columns.named_transformers_)


NUMBER_FRAME = pd.DataFrame(np.arange(24.0).reshape(6, 4) ** 1.5, columns=list("abcd"))
SELECTIONS = {
    "names": ["b", "c"],
    "name array": np.array(["b", "c"]),
    "name index": pd.Index(["b", "c"], dtype=object),
    "name slice": slice("b", "c"),
    "positions": [2, -1],
    "position array": np.array([2, 3]),
    "slice": slice(2, None),
    "slice with step": slice(3, 1, -1),
    "empty slice": slice(1, 1),
    "mask": [False, False, True, True],
    "mask array": np.array([False, False, False, True]),
    "nothing": [],
    "empty mask": [False] * 4,
}


@pytest.mark.parametrize("remainder", ["drop", "passthrough"])
@pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS)
def test_load_model_restores_selected_columns(tmp_path, selection, remainder):
    columns = ColumnTransformer(
        [("selected", FunctionTransformer(), selection), ("other", StandardScaler(), ["a"])],
        remainder=remainder,
    ).fit(NUMBER_FRAME)
    loaded = round_trip(columns, tmp_path)
    assert_equal_results(loaded.transform(NUMBER_FRAME), columns.transform(NUMBER_FRAME))
    assert loaded._transformer_to_input_indices == columns._transformer_to_input_indices
    again = clone(loaded).fit_transform(NUMBER_FRAME)
    assert_equal_results(again, columns.transform(NUMBER_FRAME))


def test_load_model_restores_text_columns_by_position(tmp_path):
    columns = ColumnTransformer([("title", TfidfVectorizer(), 0), ("body", TfidfVectorizer(), 1)])
    rows = FRAME.to_numpy(dtype=object)
    columns.fit(rows)
    assert_same_model(round_trip(columns, tmp_path), columns, rows)


def test_load_model_restores_pandas_output(tmp_path):
    columns = ColumnTransformer(
        [("price", StandardScaler(), ["price"]), ("size", MaxAbsScaler(), ["size"])],
        verbose_feature_names_out="{transformer_name}/{feature_name}",
    )
    columns.set_output(transform="pandas").fit(FRAME)
    loaded = round_trip(columns, tmp_path)
    assert_equal_results(loaded.transform(FRAME), columns.transform(FRAME))
    assert list(loaded.get_feature_names_out()) == ["price/price", "size/size"]


@pytest.mark.parametrize(
    "function",
    [chi2, f_classif, f_regression, mutual_info_classif, mutual_info_regression],
    ids=lambda function: function.__name__,
)
def test_load_model_restores_score_function_of_select_k_best(tmp_path, function):
    selector = SelectKBest(function, k=1).fit(np.abs(NUMBERS), CLASSES)
    loaded = round_trip(selector, tmp_path)
    assert loaded.score_func is function
    np.testing.assert_array_equal(loaded.scores_, selector.scores_)
    np.testing.assert_array_equal(loaded.get_support(), selector.get_support())


@pytest.mark.parametrize(
    ("step", "rows"),
    [
        (StandardScaler(), NUMBERS),
        (StandardScaler(with_mean=False, with_std=False), NUMBERS),
        (StandardScaler(with_mean=False), sp.csr_array(NUMBERS)),
        (StandardScaler(), FRAME[["price", "size"]]),
        (MaxAbsScaler(), sp.csr_array(NUMBERS.astype(np.float32))),
        (TruncatedSVD(1, algorithm="arpack", random_state=0), NUMBERS),
        (TruncatedSVD(1, random_state=np.random.RandomState(3)), sp.csr_array(NUMBERS)),
    ],
    ids=["standard", "unscaled", "sparse", "frame", "max abs", "arpack", "random state"],
)
def test_load_model_restores_numeric_transformer(tmp_path, step, rows):
    step = clone(step).fit(rows)
    loaded = round_trip(step, tmp_path)
    assert type(loaded) is type(step)
    assert_equal_results(loaded.transform(rows), step.transform(rows))
    assert vars(loaded).keys() == vars(step).keys()
    assert list(loaded.get_feature_names_out()) == list(step.get_feature_names_out())


@pytest.mark.parametrize("algorithm", ["randomized", "arpack"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loaded_svd_rounds_products_of_dense_rows_like_saved_one(tmp_path, algorithm, dtype):
    X = np.random.default_rng(0).random((300, 200)).astype(dtype)
    for rows in (X, sp.csr_array(X)):
        svd = TruncatedSVD(20, algorithm=algorithm, random_state=0).fit(rows)
        for mmap_mode in (None, "r"):
            loaded = round_trip(svd, tmp_path, mmap_mode=mmap_mode)
            for new in (X, X[:1], X[::2], np.asfortranarray(X), sp.csr_array(X)):
                assert_equal_results(loaded.transform(new), svd.transform(new))


def test_loaded_scaler_can_be_fitted_further(tmp_path):
    scaler = StandardScaler().fit(NUMBERS[:30])
    loaded = round_trip(scaler, tmp_path, mmap_mode="r")
    expected, got = scaler.partial_fit(NUMBERS[30:]), loaded.partial_fit(NUMBERS[30:])
    np.testing.assert_array_equal(got.scale_, expected.scale_)
    assert got.n_samples_seen_ == expected.n_samples_seen_ == len(NUMBERS)


def test_load_model_restores_frozen_estimator(tmp_path):
    frozen = FrozenEstimator(make_pipeline(TfidfVectorizer(), StandardScaler(with_mean=False)))
    frozen.estimator.fit(TEXTS)
    loaded = round_trip(frozen, tmp_path)
    assert type(loaded) is FrozenEstimator
    assert clone(loaded) is loaded
    assert_equal_results(loaded.transform(TEXTS), frozen.transform(TEXTS))


@pytest.mark.parametrize(
    "cls", [CalibratedMultilabelClassifierCV, TunedThresholdMultilabelClassifierCV]
)
def test_load_model_restores_calibration_of_a_fitted_model(tmp_path, cls):
    fitted = make_pipeline(TfidfVectorizer(), make_classifier()).fit(TEXTS, LABELS)
    model = cls(FrozenEstimator(fitted)).fit(TEXTS, LABELS)
    loaded = round_trip(model, tmp_path)
    assert_same_model(loaded, model, TEXTS)
    assert list(loaded.classes_) == list(model.classes_)
    assert loaded.estimator_ is loaded.estimator


def test_load_model_restores_score_requests_of_calibrated_classifier(tmp_path):
    Y = sp.csr_array(np.eye(5, dtype=np.float32)[CLASSES])
    with config_context(enable_metadata_routing=True):
        inner = make_classifier().set_fit_request(sample_weight=True)
        model = CalibratedMultilabelClassifierCV(inner, cv=2).set_score_request(sample_weight="w")
    loaded = round_trip(model.fit(NUMBERS, Y), tmp_path)
    assert str(loaded.get_metadata_routing()) == str(model.get_metadata_routing())
    assert "'sample_weight': 'w'" in str(loaded.get_metadata_routing())


def test_load_model_restores_attributes_of_calibrated_classifier(tmp_path):
    Y = sp.csr_array(np.eye(5, dtype=np.float32)[CLASSES])
    for method in ("isotonic", "sigmoid"):
        model = CalibratedMultilabelClassifierCV(make_classifier(), method=method, cv=2)
        model.fit(NUMBERS, Y)
        loaded = round_trip(model, tmp_path)
        assert vars(loaded).keys() == vars(model).keys()
        assert type(loaded.calibrator_) is type(model.calibrator_)
        scores = np.linspace(0.01, 1, 50)
        np.testing.assert_array_equal(loaded.calibrator_(scores), model.calibrator_(scores))
        assert loaded.predict(NUMBERS).dtype == np.float32
        assert loaded.n_features_in_ == 2


@pytest.mark.parametrize(
    "cv",
    [3, KFold(3, shuffle=True, random_state=1), ShuffleSplit(2, test_size=0.3, random_state=2)],
    ids=str,
)
def test_load_model_restores_splitters(tmp_path, cv):
    model = TunedThresholdMultilabelClassifierCV(make_classifier(), cv=cv)
    model.fit(NUMBERS, np.eye(5)[CLASSES])
    loaded = round_trip(model, tmp_path)
    assert repr(loaded.cv) == repr(cv)
    again = clone(loaded).fit(NUMBERS, np.eye(5)[CLASSES])
    np.testing.assert_array_equal(again.thresholds_, model.thresholds_)
    assert again.best_score_ == loaded.best_score_ == model.best_score_


def test_load_model_restores_list_of_splits(tmp_path):
    splits = list(KFold(2).split(NUMBERS))
    model = TunedThresholdMultilabelClassifierCV(make_classifier(), cv=splits)
    loaded = round_trip(model.fit(NUMBERS, np.eye(5)[CLASSES]), tmp_path)
    np.testing.assert_array_equal(loaded.cv[1][0], splits[1][0])


def test_save_model_rejects_calibration_with_invalid_attributes(tmp_path):
    model = copy.deepcopy(TUNED).set_params(average="other")
    with pytest.raises(ValueError, match="'average' parameter"):
        save_model(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def double(X):
    return 2 * X


UNSUPPORTED = {
    "column selector": (
        ColumnTransformer([("numbers", StandardScaler(), make_column_selector("price"))]),
        FRAME,
        "columns of the transformer 'numbers' must be names, positions, a slice or a mask; got",
    ),
    "name function": (
        ColumnTransformer(
            [("price", StandardScaler(), ["price"])], verbose_feature_names_out="{}-{}".format
        ),
        FRAME,
        "verbose_feature_names_out must be a bool or a str; got",
    ),
    "class of a column": (
        ColumnTransformer([("price", PCA(), ["price", "size"])]),
        FRAME,
        r"model\.params\.transformers\.0\.1 must be .* got an object of type .*PCA",
    ),
    "remainder": (
        ColumnTransformer([("price", StandardScaler(), ["price"])], remainder=PCA()),
        FRAME[["price", "size"]],
        r"model\.params\.remainder must be .* got an object of type .*PCA",
    ),
    "score function": (
        SelectKBest(lambda X, y: X.sum(axis=0), k=1),
        NUMBERS,
        "score_func of SelectKBest must be one of chi2, f_classif, .*; got '.*lambda",
    ),
    "function": (
        make_pipeline(FunctionTransformer(double), StandardScaler()),
        NUMBERS,
        "func of FunctionTransformer must be None; got <function double",
    ),
    "splitter": (
        TunedThresholdMultilabelClassifierCV(
            make_classifier(), cv=RepeatedKFold(n_splits=2, n_repeats=1)
        ),
        NUMBERS,
        r"model\.params\.cv must be .* got an object of type .*RepeatedKFold",
    ),
}


@pytest.mark.parametrize(("model", "rows", "message"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_save_model_rejects_steps_that_need_pickle(tmp_path, model, rows, message):
    y = np.eye(5)[CLASSES] if hasattr(model, "predict_proba") else CLASSES
    model = clone(model).fit(rows, y)
    with pytest.raises(TypeError, match=f"{message}.*joblib"):
        save_model(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


class OtherScaler(StandardScaler):
    """A subclass; only its base class can be saved."""


def test_save_model_rejects_subclasses_of_steps(tmp_path):
    with pytest.raises(TypeError, match=r"OtherScaler.*joblib"):
        save_model(OtherScaler().fit(NUMBERS), tmp_path / "model")
    model = make_pipeline(OtherScaler(), StandardScaler()).fit(NUMBERS)
    with pytest.raises(TypeError, match=r"steps\.0\.1 .*OtherScaler.*joblib"):
        save_model(model, tmp_path / "model")


def test_save_model_accepts_lists_of_scikit_learn_1_6(tmp_path):
    columns = make_columns().fit(FRAME)
    name, step, rest = columns.transformers_[-1]
    columns.transformers_[-1] = (name, step, UserList(rest))
    columns._remainder = (name, step, UserList(rest))
    loaded = round_trip(columns, tmp_path)
    assert type(loaded._remainder[2]) is list
    assert_equal_results(loaded.transform(FRAME), columns.transform(FRAME))


def test_load_model_ignores_old_parameter_of_column_transformer(tmp_path):
    save_model(make_columns().fit(FRAME), tmp_path / "model")
    change = set_field("params.dict.force_int_remainder_cols", False)
    rewrite_header(tmp_path / "model", lambda header: change(header["model"]["fields"]))
    assert load_model(tmp_path / "model").transform(FRAME).shape[0] == len(FRAME)


def set_field(key_path, value):
    """Return a function that sets a nested field of a header."""
    *keys, last = [int(key) if key.isdecimal() else key for key in key_path.split(".")]

    def change(fields):
        for key in keys:
            fields = fields[key]
        fields[last] = value

    return change


SLICE = {"object": "slice", "fields": {"start": None, "stop": None, "step": None}}
INT = {"type": "int"}
COLUMNS = ColumnTransformer(
    [("first", StandardScaler(), [0]), ("last", StandardScaler(), slice(1, 2))]
).fit(NUMBERS)
SCALER = StandardScaler().fit(NUMBERS)
SELECTOR = SelectKBest(f_classif, k=1).fit(NUMBERS, CLASSES)
CALIBRATED = CalibratedMultilabelClassifierCV(make_classifier(), method="sigmoid", cv=2).fit(
    NUMBERS, np.eye(5, dtype=int)[CLASSES]
)
ISOTONIC = CalibratedMultilabelClassifierCV(make_classifier(), cv=2).fit(
    NUMBERS, np.eye(5, dtype=int)[CLASSES]
)
TUNED = TunedThresholdMultilabelClassifierCV(make_classifier(), cv=2).fit(
    NUMBERS, np.eye(5, dtype=int)[CLASSES]
)
IDENTITY = FunctionTransformer().fit(NUMBERS)
SVD = TruncatedSVD(1, random_state=0).fit(NUMBERS)
NAMES_OUT = "params.dict.verbose_feature_names_out"
FIRST = "params.dict.transformers.0.tuple"
OUTPUT = "fitted.dict.output_indices_.dict"
MANIPULATIONS = [
    (COLUMNS, f"{FIRST}.2", [1], "differ from those of the fit"),
    (COLUMNS, f"{FIRST}.2", [2], "positions of columns must be less than 2"),
    (COLUMNS, f"{FIRST}.2", ["price"], "there is no column 'price'"),
    (COLUMNS, f"{FIRST}.2", [True], "a mask of columns must have 2 entries"),
    (COLUMNS, f"{FIRST}.2", [0, "a"], "must be names or positions"),
    (COLUMNS, f"{FIRST}.2", {"dict": {}}, "columns must be a list or an array"),
    (COLUMNS, f"{FIRST}.2", INT, "columns of the transformer 'first' must be names"),
    (COLUMNS, f"{FIRST}.2", SLICE, "differ from those of the fit"),
    (COLUMNS, f"{FIRST}.1", "other", "transformers must contain names and estimators"),
    (COLUMNS, f"{FIRST}.0", "last", "not unique"),
    (COLUMNS, "fitted.dict.transformers_.0", "passthrough", "must have transform"),
    (COLUMNS, "fitted.dict.transformers_.0", INT, "must have transform"),
    (COLUMNS, "fitted.dict.transformers_", [], "is shorter than"),
    (COLUMNS, "fitted.dict.n_features_in_", 2**62, "the positions of the remainder must be"),
    (COLUMNS, "fitted.dict.n_features_in_", 0, "n_features_in_ must be an integer >= 1"),
    (COLUMNS, "fitted.dict.sparse_output_", "yes", "sparse_output_ must be a bool"),
    (COLUMNS, f"{OUTPUT}.first", 1, "one slice per transformer"),
    (COLUMNS, "fitted.dict._sklearn_output_config", {"dict": {"transform": 1}}, "output must be"),
    (COLUMNS, "params.dict.remainder", INT, "remainder"),
    (COLUMNS, "params.dict.n_jobs", 2**20, "n_jobs must be None or an integer up to 1024"),
    (COLUMNS, NAMES_OUT, INT, "must be a bool or a str"),
    (COLUMNS, NAMES_OUT, "{feature_name.__class__}", "must contain only {transformer_name}"),
    (COLUMNS, NAMES_OUT, "{feature_name:>9999999999}", "must contain only {transformer_name}"),
    (SCALER, "fitted.dict.scale_", None, "scale_ must be an array of floats of shape"),
    (SCALER, "fitted.dict.n_features_in_", 3, "mean_ must be an array of floats of shape"),
    (SCALER, "fitted.dict", {"mean_": None}, "attribute var_ is missing"),
    (SCALER, "params.dict.with_std", 2, "'with_std' parameter"),
    (SCALER, "fitted.dict._parameter_constraints", {"dict": {}}, "no fitted attribute"),
    (SELECTOR, "params.dict.score_func", "system", "score_func must be one of chi2"),
    (SELECTOR, "params.dict.score_func", INT, "score_func must be one of chi2"),
    (SELECTOR, "params.dict.k", -1, "'k' parameter"),
    (SELECTOR, "fitted.dict.n_features_in_", 5, "scores_ must be 5 numbers"),
    (SVD, "fitted.dict.n_features_in_", 5, "components_ must be an array"),
    (SVD, "fitted.dict.components_", 5, "AttributeError"),
    (SVD, "fitted.dict.order", "other", "must be C, F or reversed; got 'other'"),
    (IDENTITY, "params.dict.func", INT, "func of FunctionTransformer must be None"),
    (IDENTITY, "params.dict.inverse_func", INT, "inverse_func of FunctionTransformer must be None"),
    (IDENTITY, "params.dict.feature_names_out", INT, "must be None or 'one-to-one'"),
    (IDENTITY, "params.dict.kw_args", {"dict": {"a": 1}}, "kw_args and inv_kw_args must be empty"),
    (CALIBRATED, "fitted.dict.calibrator_", INT, "calibrator_ must be a map of scores"),
    (CALIBRATED, "fitted.dict.calibrator_.fields.slope", -1.0, "slope must not be negative"),
    (CALIBRATED, "fitted.dict.calibrator_.fields.slope", "a", "must be finite floats"),
    (ISOTONIC, "fitted.dict.calibrator_.fields.x", 1, "must be float64"),
    (CALIBRATED, "fitted.dict._target_dtype", {"dtype": "<U9"}, "must be a dtype of numbers"),
    (CALIBRATED, "fitted.dict._topk_returns_proba", 1, "_topk_returns_proba must be a bool"),
    (CALIBRATED, "fitted.dict._predicts_names", None, "_predicts_names must be a bool"),
    (CALIBRATED, "fitted.dict.estimator_", None, "estimator_ must have predict_proba"),
    (TUNED, "fitted.dict.classes_", None, "classes_ must be a 1-D array"),
    (TUNED, "fitted.dict.best_score_", None, "best_score_ must be a float"),
    (TUNED, "fitted.dict.thresholds_", None, "thresholds_ must have one float32 per label"),
]


@pytest.mark.parametrize(
    ("model", "key_path", "value", "message"),
    MANIPULATIONS,
    ids=[f"{type(m).__name__} {path} {value}" for m, path, value, _ in MANIPULATIONS],
)
def test_load_model_refuses_manipulated_steps(tmp_path, model, key_path, value, message):
    save_model(model, tmp_path / "model")
    change = set_field(key_path, value)
    rewrite_header(tmp_path / "model", lambda header: change(header["model"]["fields"]))
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path / "model")


def test_load_model_refuses_thresholds_of_other_labels(tmp_path):
    save_model(TUNED, tmp_path / "model")
    folder = shutil.copytree(tmp_path / "model", tmp_path / "copy")

    def change(header):
        fitted = header["model"]["fields"]["fitted"]["dict"]
        fitted["classes_"] = fitted["thresholds_"]
        fitted["thresholds_"] = fitted["estimator_"]["fields"]["fitted"]["dict"]["classes_"]

    rewrite_header(folder, change)
    with pytest.raises(ValueError, match="thresholds_ must have one float32 per label"):
        load_model(folder)
