"""`skxmr.pipeline`: pipelines with the ranking methods of the last step."""

import pickle

import numpy as np
import pytest
from sklearn import pipeline as sklearn_pipeline
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from helpers.step_models import FRAME, LABELS, TEXTS, make_columns
from skxmr import XRLinearClassifier, load_model, save_model
from skxmr.calibration import CalibratedMultilabelClassifierCV
from skxmr.datasets import load_api_docs
from skxmr.inspection import explain
from skxmr.metrics import precision_at_k, topk_scorer
from skxmr.model_selection import beam_width_curve, cross_val_predict, tune_prediction
from skxmr.pipeline import Pipeline, make_pipeline
from skxmr.text import TfidfVectorizer

P1 = topk_scorer("precision", k=1)


@pytest.fixture(scope="module")
def data():
    docs = load_api_docs()
    return docs.data[:1500], docs.target[:1500]


@pytest.fixture(scope="module")
def model(data):
    return make_pipeline(
        TfidfVectorizer(dtype=np.float32), Normalizer(), XRLinearClassifier(random_state=0)
    ).fit(*data)


def test_ranking_methods_are_those_of_the_last_step(model, data):
    texts, Y = data
    rows = model[1].transform(model[0].transform(texts))
    expected_ranking = model[-1].predict_topk(rows, k=3)
    for got, expected in zip(model.predict_topk(texts, k=3), expected_ranking, strict=True):
        np.testing.assert_array_equal(got, expected)
    scores = model.score_candidates(texts, Y)
    np.testing.assert_array_equal(scores.data, model[-1].score_candidates(rows, Y).data)
    one = model.predict_topk(texts[7:8], k=3)
    np.testing.assert_array_equal(one[0][0], model.predict_topk(texts, k=3)[0][7])


def test_pipelines_without_a_ranking_step_have_no_ranking_methods():
    plain = make_pipeline(Normalizer(), LogisticRegression())
    assert not hasattr(plain, "predict_topk")
    assert not hasattr(plain, "score_candidates")
    assert type(plain) is Pipeline
    assert make_pipeline(Normalizer(), verbose=True, memory="cache").verbose


def test_steps_that_pass_rows_through_are_skipped(data):
    texts, Y = data
    model = Pipeline(
        [("words", TfidfVectorizer()), ("none", "passthrough"), ("labels", XRLinearClassifier())]
    )
    assert model.fit(texts, Y).predict_topk(texts[:2], k=2)[0].shape == (2, 2)


def test_other_tools_accept_the_pipeline(model, data, tmp_path):
    texts, Y = data
    first = model.predict_topk(texts, k=5)
    save_model(model, tmp_path / "model")
    for other in (load_model(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert type(other) is Pipeline
        np.testing.assert_array_equal(other.predict_topk(texts, k=5)[1], first[1])
    assert P1(model, texts, Y) == precision_at_k(Y, first, k=1)
    label = int(first[0][0, 0])
    assert explain(model, texts[0], label).rank == 1
    tuned = tune_prediction(model, texts, Y, scoring=P1)
    assert set(tuned.best_params) <= set(model.get_params())
    curve = beam_width_curve(model, texts, Y, [1, 10], scoring=P1, cv="prefit")
    assert curve.test_score[1, 0] == pytest.approx(P1(model, texts, Y))


def test_the_pipeline_is_cloned_searched_and_cross_validated(model, data):
    texts, Y = data
    unfitted = clone(model)
    assert type(unfitted) is Pipeline
    search = GridSearchCV(unfitted, {"xrlinearclassifier__beam_width": [1, 5]}, scoring=P1, cv=2)
    assert type(search.fit(texts, Y).best_estimator_) is Pipeline
    ranking = cross_val_predict(unfitted, texts, Y, cv=2, method="predict_topk", k=3)
    assert ranking[0].shape == (1500, 3)
    calibrated = CalibratedMultilabelClassifierCV(unfitted, cv=2).fit(texts, Y)
    assert calibrated.predict_topk(texts[:3], k=2)[0].shape == (3, 2)


def test_results_equal_those_of_the_pipeline_of_scikit_learn(model, data):
    texts, Y = data
    reference = sklearn_pipeline.make_pipeline(*clone(model).named_steps.values()).fit(texts, Y)
    assert (reference.predict_proba(texts) != model.predict_proba(texts)).nnz == 0
    assert P1(reference, texts, Y) == P1(model, texts, Y)


def test_explain_is_that_of_skxmr_inspection(model, data):
    texts, _ = data
    label = int(model.predict_topk(texts[:1], k=1)[0][0, 0])
    assert str(model.explain(texts[0], label)) == str(explain(model, texts[0], label))
    explanation = model.explain(texts[0], label, n_features=1, label_names=model.classes_)
    assert explanation.n_features == 1


def test_explain_is_available_if_the_last_step_can_be_explained(data):
    classifier = XRLinearClassifier()
    explained = [
        classifier,
        sklearn_pipeline.make_pipeline(Normalizer(), classifier),
        GridSearchCV(classifier, {"beam_width": [1]}),
        CalibratedMultilabelClassifierCV(classifier),
        FrozenEstimator(classifier),
    ]
    for step in explained:
        assert hasattr(make_pipeline(Normalizer(), step), "explain")
    for step in (LogisticRegression(), CalibratedMultilabelClassifierCV(LogisticRegression())):
        assert not hasattr(make_pipeline(Normalizer(), step), "explain")


def test_explain_accepts_calibrated_last_steps():
    model = make_pipeline(
        make_columns(), CalibratedMultilabelClassifierCV(XRLinearClassifier(random_state=0), cv=2)
    ).fit(FRAME, LABELS)
    assert model.explain(FRAME.iloc[0], "apple pie").rank == 1
    assert model.suggest(FRAME[:1], k=1)[0][0][0] == "apple pie"


class Lengths(TransformerMixin, BaseEstimator):
    """Custom transformer."""

    def fit(self, X, y=None):
        raise AssertionError("the check must come before the first fit")

    def transform(self, X):
        return np.array([[len(text)] for text in X])


class OtherVectorizer(TfidfVectorizer):
    """Subclass, which cannot be saved."""

    def fit_transform(self, raw_documents, y=None):
        raise AssertionError("the check must come before the first fit")


UNSAVABLE = {
    "class": (Lengths(), "got Lengths as the step 'first': .* an object of type .*Lengths"),
    "subclass": (OtherVectorizer(), "got OtherVectorizer as the step 'first': .*"),
    "tokenizer": (
        TfidfVectorizer(tokenizer=str.split, token_pattern=None),
        r"got TfidfVectorizer as the step 'first': first\.params\.tokenizer must be .*",
    ),
    "files": (
        TfidfVectorizer(input="filename"),
        "got TfidfVectorizer as the step 'first': input of TfidfVectorizer must be 'content'",
    ),
    "function": (
        FunctionTransformer(len),
        "got FunctionTransformer as the step 'first': func of FunctionTransformer must be None",
    ),
    "columns": (
        ColumnTransformer([("numbers", StandardScaler(), make_column_selector("price"))]),
        "got ColumnTransformer as the step 'first': columns of the transformer 'numbers' must be",
    ),
    "nested": (
        make_pipeline(TfidfVectorizer(), Lengths()),
        r"got Pipeline as the step 'first': first\.params\.steps\.1\.1 must be .*",
    ),
    "frozen": (
        FrozenEstimator(make_pipeline(FunctionTransformer(len))),
        "got FrozenEstimator as the step 'first': func of FunctionTransformer must be None",
    ),
}


@pytest.mark.parametrize(("step", "message"), UNSAVABLE.values(), ids=UNSAVABLE)
@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: make_pipeline(Normalizer(), c)])
def test_fit_with_model_dir_rejects_steps_that_cannot_be_saved(tmp_path, step, message, wrap):
    classifier = XRLinearClassifier(random_state=0, model_dir=str(tmp_path / "model"))
    model = Pipeline([("first", step), ("last", wrap(classifier))])
    advice = r"Set model_dir=None, and save the fitted pipeline with joblib\.dump\.$"
    with pytest.raises(TypeError, match=f"because model_dir is set; {message}.*{advice}"):
        model.fit(TEXTS, LABELS)
    assert not list(tmp_path.iterdir())
    assert not hasattr(model[0], "vocabulary_")


def test_fit_without_model_dir_accepts_all_steps():
    model = make_pipeline(
        TfidfVectorizer(tokenizer=str.split, token_pattern=None), XRLinearClassifier(random_state=0)
    )
    assert model.fit(TEXTS, LABELS).suggest(TEXTS[:1], k=1)[0][0][0] == "apple pie"


def test_fit_with_model_dir_accepts_steps_that_can_be_saved(tmp_path):
    for words in (TfidfVectorizer(), FrozenEstimator(TfidfVectorizer().fit(TEXTS)), "passthrough"):
        steps = [TfidfVectorizer()] if words == "passthrough" else []
        model = make_pipeline(
            *steps, words, XRLinearClassifier(random_state=0, model_dir=str(tmp_path / "folder"))
        ).fit(TEXTS, LABELS)
        save_model(model, tmp_path / "pipeline")
        loaded = load_model(tmp_path / "pipeline")
        assert loaded.suggest(TEXTS[:2]) == model.suggest(TEXTS[:2])


def test_fit_of_an_empty_pipeline_raises_the_error_of_scikit_learn():
    with pytest.raises(ValueError, match="empty|unpack"):
        Pipeline([]).fit(TEXTS, LABELS)
