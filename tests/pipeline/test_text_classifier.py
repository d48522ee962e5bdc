"""`make_text_classifier`: from texts to named labels."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

from skxmr import XRLinearClassifier, load_model, make_text_classifier, preset, save_model
from skxmr.datasets import load_api_docs
from skxmr.metrics import topk_scorer

DOCS = load_api_docs()
TEXTS = DOCS.data[:1500]
NAMES = [set(DOCS.target_names[row.indices].tolist()) for row in DOCS.target[:1500]]
MODEL = make_text_classifier(random_state=0).fit(TEXTS, NAMES)


def test_texts_in_and_names_out(tmp_path):
    found = MODEL.predict(TEXTS)
    assert np.mean([bool(NAMES[row] & set(found[row])) for row in range(1500)]) > 0.5
    [pairs] = MODEL.suggest(["histogram of an array"], k=3)
    names, scores = zip(*pairs, strict=True)
    assert set(names) <= set().union(*NAMES)
    assert list(scores) == sorted(scores, reverse=True)
    save_model(MODEL, tmp_path / "model")
    assert load_model(tmp_path / "model").suggest(["histogram of an array"], k=3) == [pairs]


@pytest.mark.parametrize("name", ["fast", "balanced", "best"])
def test_presets_are_those_of_the_classifier(name):
    classifier = make_text_classifier(name, C=2.0)[-1]
    assert repr(classifier) == repr(XRLinearClassifier(**preset(name), C=2.0))
    assert make_text_classifier(name, beam_width=7)[-1].beam_width == 7


def test_n_jobs_is_that_of_both_steps():
    model = make_text_classifier(n_jobs=2)
    assert model["vectorizer"].n_jobs == model["classifier"].n_jobs == 2


def test_parameters_are_searched():
    search = GridSearchCV(
        clone(MODEL),
        {"vectorizer__min_df": [1, 30]},
        scoring=topk_scorer("precision", k=1),
        cv=KFold(2),
    ).fit(TEXTS, NAMES)
    assert search.best_params_ == {"vectorizer__min_df": 1}


def test_invalid_arguments_are_reported():
    allowed = "preset must be one of default, fast, balanced, best; got 'large'"
    with pytest.raises(ValueError, match=allowed):
        make_text_classifier("large")
    with pytest.raises(TypeError, match="beam_size"):
        make_text_classifier(beam_size=5)
