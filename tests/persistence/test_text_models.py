"""Saved vectorizers, label binarizers and pipelines."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import MultiLabelBinarizer, Normalizer

from skxmr import HierarchicalLabelTree, XRLinearClassifier, load_model, save_model, text
from skxmr.persistence import load_extras, predict_saved

TOPICS = ["apple pie", "fast car", "new parliament", "green ähre", "sorted 数据"]
TEXTS = [f"{TOPICS[i % 5]} number {i} of the {TOPICS[(3 * i + 1) % 5]}" for i in range(60)]
LABELS = [(TOPICS[i % 5], f"label {i % 7}") for i in range(60)]
NEW = ["a car and a pie", "数据", "nothing known", ""]

VECTORIZERS = {
    "tfidf": TfidfVectorizer(sublinear_tf=True, dtype=np.float32),
    "compiled tfidf": text.TfidfVectorizer(sublinear_tf=True, stop_words="english", n_jobs=2),
    "compiled counts": text.CountVectorizer(analyzer="char", ngram_range=(1, 3)),
    "tfidf without idf": TfidfVectorizer(use_idf=False, norm="l1", dtype=np.float64),
    "characters": TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), max_features=50),
    "words left out": CountVectorizer(stop_words=["of", "the"], min_df=2, dtype=float),
    "given vocabulary": TfidfVectorizer(vocabulary={"car": 1, "pie": 0, "数据": 2}),
    "listed vocabulary": CountVectorizer(vocabulary=["pie", "car"], binary=True),
    # In a pipeline, because scikit-learn 1.6 considers a HashingVectorizer unfitted.
    "hashed": make_pipeline(HashingVectorizer(n_features=2**10), Normalizer("max")),
    "counts, weighted": make_pipeline(CountVectorizer(), TfidfTransformer(), Normalizer("l1")),
    "union": FeatureUnion(
        [("words", TfidfVectorizer()), ("characters", TfidfVectorizer(analyzer="char"))],
        transformer_weights={"words": 1.0, "characters": 0.5},
    ),
    "nested": make_union(make_pipeline(CountVectorizer(), "passthrough"), "drop"),
}


def comparable_params(value):
    """Return the parameters of an estimator and of nested ones, as comparable values."""
    params = value.get_params()
    return {k: type(v) if hasattr(v, "get_params") else repr(v) for k, v in params.items()}


def round_trip(model, folder, **kwargs):
    save_model(model, folder)
    return load_model(folder, **kwargs)


@pytest.mark.parametrize("mmap_mode", [None, "r"])
@pytest.mark.parametrize("vectorizer", VECTORIZERS.values(), ids=VECTORIZERS)
def test_loaded_vectorizer_equals_saved_one(tmp_path, vectorizer, mmap_mode):
    vectorizer = clone(vectorizer).fit(TEXTS)
    loaded = round_trip(vectorizer, tmp_path / "model", mmap_mode=mmap_mode)
    assert comparable_params(loaded) == comparable_params(vectorizer)
    expected, actual = vectorizer.transform(TEXTS + NEW), loaded.transform(TEXTS + NEW)
    assert type(expected) is type(actual)
    assert expected.dtype == actual.dtype
    assert (expected != actual).nnz == 0
    if hasattr(vectorizer, "vocabulary_"):
        assert loaded.vocabulary_ == vectorizer.vocabulary_
        assert list(loaded.get_feature_names_out()) == list(vectorizer.get_feature_names_out())
    from_loaded, from_saved = (
        clone(loaded).fit_transform(TEXTS),
        clone(vectorizer).fit_transform(TEXTS),
    )
    assert (from_loaded != from_saved).nnz == 0


def test_loaded_pipeline_and_binarizer_equal_saved_ones(tmp_path):
    binarizer = MultiLabelBinarizer(sparse_output=True)
    Y = binarizer.fit_transform(LABELS)
    binarizer.transform(LABELS)  # creates a cached index
    model = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, dtype=np.float32),
        XRLinearClassifier(max_leaf_size=4, random_state=0),
    ).fit(TEXTS, Y)
    save_model(model, tmp_path / "model", extras={"binarizer": binarizer})
    loaded = load_model(tmp_path / "model", mmap_mode="r")
    assert comparable_params(loaded) == comparable_params(model)
    assert list(loaded.named_steps) == list(model.named_steps)
    assert (loaded.predict_proba(NEW) != model.predict_proba(NEW)).nnz == 0
    assert (loaded.predict(TEXTS) != model.predict(TEXTS)).nnz == 0
    extra = load_extras(tmp_path / "model")["binarizer"]
    assert list(extra.classes_) == list(binarizer.classes_)
    assert extra.inverse_transform(loaded.predict(TEXTS)) == binarizer.inverse_transform(
        model.predict(TEXTS)
    )
    assert (extra.transform(LABELS) != Y).nnz == 0
    for file in (tmp_path / "model").glob("*.npy"):
        np.load(file, allow_pickle=False)


def test_binarizer_with_numbers_or_given_classes_can_be_saved(tmp_path):
    numbers = MultiLabelBinarizer().fit([[3, 1], [7]])
    loaded = round_trip(numbers, tmp_path / "model")
    np.testing.assert_array_equal(loaded.transform([[7], [1, 3]]), [[0, 0, 1], [1, 1, 0]])
    given = MultiLabelBinarizer(classes=["b", "a"]).fit([["a"]])
    assert list(round_trip(given, tmp_path / "model").classes_) == ["b", "a"]
    with pytest.raises(TypeError, match=r"classes_.*joblib"):
        save_model(MultiLabelBinarizer().fit([[("a", 1)]]), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_vocabulary_is_not_stored_in_the_header(tmp_path):
    terms = [f"term{i}" for i in range(20_000)]
    save_model(TfidfVectorizer().fit([" ".join(terms)]), tmp_path / "model")
    assert (tmp_path / "model" / "header.json").stat().st_size < 5000


@pytest.mark.parametrize(
    ("step", "parameter"),
    [
        (TfidfVectorizer(tokenizer=str.split, token_pattern=None), "tokenizer"),
        (CountVectorizer(preprocessor=str.lower), "preprocessor"),
        (HashingVectorizer(analyzer=str.split), "analyzer"),
    ],
    ids=["tokenizer", "preprocessor", "analyzer"],
)
def test_save_model_names_the_parameter_that_is_a_callable(tmp_path, step, parameter):
    model = make_pipeline(clone(step), XRLinearClassifier(random_state=0))
    model.fit(TEXTS, np.arange(60) % 5)
    with pytest.raises(TypeError, match=rf"steps\.0\.1\.params\.{parameter} must be .*joblib"):
        save_model(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_save_model_rejects_pipelines_with_other_or_unfitted_steps(tmp_path):
    other = make_pipeline(CountVectorizer(), MultinomialNB()).fit(TEXTS, np.arange(60) % 5)
    with pytest.raises(TypeError, match=r"steps\.1\.1 must be .* sklearn\.naive_bayes\.Multi"):
        save_model(other, tmp_path / "model")
    for unfitted in (make_pipeline(CountVectorizer(), XRLinearClassifier()), TfidfVectorizer()):
        with pytest.raises(NotFittedError):
            save_model(unfitted, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_loaded_estimator_keeps_metadata_requests_of_all_methods(tmp_path):
    with config_context(enable_metadata_routing=True):
        normalizer = Normalizer().set_transform_request(copy=True)
    loaded = round_trip(normalizer.fit(sp.eye_array(2).tocsr()), tmp_path / "model")
    assert str(loaded.get_metadata_routing()) == str(normalizer.get_metadata_routing())


def test_extras_may_contain_types_and_paths(tmp_path):
    model = XRLinearClassifier(random_state=0).fit(np.eye(4), np.eye(4, dtype=int))
    extras = {"types": [float, int, bool, np.float32, np.bool_], "path": Path("a") / "b"}
    save_model(model, tmp_path / "model", extras=extras)
    assert load_extras(tmp_path / "model") == extras
    with pytest.raises(
        TypeError, match=r"extras\.type must be .* got an object of type builtins\.type"
    ):
        save_model(model, tmp_path / "model", extras={"type": complex})


@pytest.mark.slow(reason="starts a process")
def test_saving_vectorizers_does_not_import_torch(tmp_path):
    save_model(TfidfVectorizer().fit(TEXTS), tmp_path / "model")
    code = (
        "import sys; from skxmr import load_model, save_model; "
        "save_model(load_model(sys.argv[1]), sys.argv[1]); "
        "sys.exit(bool({'torch', 'transformers', 'skxmr.transformer'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "model")]).returncode == 0


@pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series])
def test_predict_saved_takes_texts_of_a_pipeline(tmp_path, container):
    Y = MultiLabelBinarizer(sparse_output=True).fit_transform(LABELS)
    classifier = XRLinearClassifier(max_leaf_size=4, random_state=0)
    model = make_pipeline(TfidfVectorizer(), Normalizer(), classifier).fit(TEXTS, Y)
    save_model(model, tmp_path / "model")
    texts = container(NEW * 3)
    expected = model[-1].predict_topk(model[:-1].transform(NEW * 3), k=2)
    got = predict_saved(tmp_path / "model", texts, n_jobs=2, k=2)
    for part, expected_part in zip(got, expected, strict=True):
        np.testing.assert_array_equal(part, expected_part)
    for method in ("predict", "predict_proba", "decision_function"):
        got = predict_saved(tmp_path / "model", texts, method, n_jobs=2)
        assert (got != getattr(model, method)(NEW * 3)).nnz == 0


def test_predict_saved_rejects_invalid_arguments(tmp_path):
    save_model(XRLinearClassifier().fit(np.eye(3), [0, 1, 2]), tmp_path / "classifier")
    with pytest.raises(ValueError, match="'n_jobs' parameter of predict_saved .* Got 0"):
        predict_saved(tmp_path / "classifier", np.eye(3), n_jobs=0)
    save_model(HierarchicalLabelTree().fit(np.eye(3)), tmp_path / "tree")
    with pytest.raises(TypeError, match="estimator must have predict_topk.* HierarchicalLabelTree"):
        predict_saved(tmp_path / "tree", np.eye(3))
