"""The served model: checks at the start, replacement of the folder, and failed replacements."""

import json
import shutil

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from helpers.text_models import expected_reply, make_texts, save_text_model
from skxmr import XRLinearClassifier, load_model, save_model
from skxmr.persistence import load_named_model
from skxmr.serving import _model as model_module
from skxmr.serving import make_app
from skxmr.serving._model import ServedModel, check_names

TEXTS = ["word1 word5", "word7", ""]


def fit_rows():
    return XRLinearClassifier(random_state=0).fit(np.eye(4), np.eye(4, dtype=int))


@pytest.fixture
def path(model_path, tmp_path):
    return shutil.copytree(model_path, tmp_path / "tags.model")


@pytest.fixture
def reloads():
    return []


@pytest.fixture
def served(path, reloads):
    served = ServedModel(path, on_reload=reloads.append)
    yield served
    served.stop_watching()


def answer(served):
    return json.loads(served.current.suggest_as_json(TEXTS, 5))


@pytest.mark.parametrize(
    "make", [fit_rows, lambda: make_pipeline(Normalizer(), fit_rows()).fit(np.eye(4), np.eye(4))]
)
def test_make_app_rejects_model_without_texts(make, tmp_path):
    save_model(make(), tmp_path / "rows.model")
    with pytest.raises(ValueError, match=r"rows\.model must be a model that takes texts; got .*"):
        make_app(tmp_path / "rows.model")


def test_make_app_rejects_model_without_labels(tmp_path):
    save_model(TfidfVectorizer().fit(["a text"]), tmp_path / "model")
    with pytest.raises(ValueError, match="must be a model that takes texts; got TfidfVectorizer"):
        make_app(tmp_path / "model")


def test_make_app_raises_if_folder_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        make_app(tmp_path / "missing")


def test_served_model_predicts_in_one_thread(served):
    parameters = served.current.estimator.get_params()
    threads = {name: value for name, value in parameters.items() if name.endswith("n_jobs")}
    assert threads == {"vectorizer__n_jobs": None, "classifier__n_jobs": None}


def test_served_model_suggests_integers(tmp_path):
    # Models without names suggest column numbers.
    model = make_pipeline(TfidfVectorizer(dtype=np.float32), XRLinearClassifier(random_state=0))
    save_model(model.fit(TEXTS, np.eye(3, dtype=int)), tmp_path / "model")
    served = ServedModel(tmp_path / "model", on_reload=print)
    assert answer(served) == expected_reply(load_named_model(tmp_path / "model"), TEXTS, 5)
    served.stop_watching()


@pytest.mark.parametrize("name", [b"bytes", 1.5, ("a", "b"), None])
def test_check_names_rejects_other_names(name):
    names = np.empty(2, dtype=object)
    names[:] = ["tag", name]
    with pytest.raises(ValueError, match="label names of model must be strings or integers; got"):
        check_names(names, "model")
    check_names(["tag", "label"], "model")
    check_names(np.arange(3), "model")


def test_check_folder_loads_new_model(served, path, reloads):
    old = served.current
    served.check_folder()
    assert served.current is old
    save_text_model(path, seed=1, prefix="new")
    served.check_folder()
    assert answer(served) == expected_reply(load_model(path), TEXTS, 5)
    assert old.suggest_as_json(TEXTS, 5)  # a request that began before the replacement
    served.check_folder()
    assert (reloads, served.reload_error) == ([True], None)


def test_check_folder_keeps_model_while_folder_is_missing(served, path, reloads):
    before = answer(served)
    path.rename(path.with_name("moved"))
    served.check_folder()
    assert (answer(served), reloads, served.reload_error) == (before, [], None)


def truncate_file(path):
    save_text_model(path, seed=1)
    file = max(path.glob("*.npy"), key=lambda file: file.stat().st_size)
    file.write_bytes(file.read_bytes()[:-1])


def save_rows(path):
    shutil.rmtree(path)
    save_model(fit_rows(), path)


def save_unusable_names(path):
    shutil.rmtree(path)
    pipeline = make_pipeline(TfidfVectorizer(dtype=np.float32), XRLinearClassifier(random_state=0))
    pipeline.fit(TEXTS, np.eye(3, dtype=int))
    save_model(pipeline, path, extras={"names": np.array([0.5, 1.5, 2.5])})


def save_wrong_number_of_names(path):
    shutil.rmtree(path)
    pipeline = make_pipeline(TfidfVectorizer(dtype=np.float32), XRLinearClassifier(random_state=0))
    pipeline.fit(TEXTS, np.eye(3, dtype=int))
    save_model(pipeline, path, extras={"names": np.array(["a", "b"])})


def write_no_json(path):
    (path / "header.json").write_text("no JSON")


@pytest.mark.parametrize(
    "damage",
    [truncate_file, save_rows, save_unusable_names, save_wrong_number_of_names, write_no_json],
)
def test_check_folder_keeps_model_if_new_model_is_unusable(served, path, reloads, damage, caplog):
    before = answer(served)
    damage(path)
    served.check_folder()
    served.check_folder()  # the failed model is not loaded again
    assert (answer(served), reloads) == (before, [False])
    assert served.reload_error
    assert [record.message for record in caplog.records] == [
        f"keeping the previous model: {served.reload_error}"
    ]
    if path.exists():
        shutil.rmtree(path)
    save_text_model(path, seed=2)
    served.check_folder()
    assert (reloads, served.reload_error) == ([False, True], None)
    assert answer(served) == expected_reply(load_model(path), TEXTS, 5)


def test_check_folder_keeps_model_if_trial_prediction_fails(served, path, reloads, monkeypatch):
    before = served.current
    load = model_module.load_named_model

    class FailingModel:
        classes_ = ["a"]
        get_params = dict

        def suggest(self, texts, k, threshold):
            return [[("a", float("nan"))]]

    save_text_model(path, seed=1)
    monkeypatch.setattr(model_module, "load_named_model", lambda *args, **options: FailingModel())
    monkeypatch.setattr(model_module, "takes_texts", lambda estimator: True)
    served.check_folder()
    assert (served.current, reloads) == (before, [False])
    assert "prediction for a text failed: Out of range float values" in served.reload_error
    monkeypatch.setattr(model_module, "load_named_model", load)


def test_check_folder_retries_if_folder_is_replaced_during_load(served, path, monkeypatch):
    load = model_module.load_named_model

    def load_and_replace(*args, **options):
        model = load(*args, **options)
        monkeypatch.setattr(model_module, "load_named_model", load)
        save_text_model(path, seed=2, prefix="newest")
        return model

    save_text_model(path, seed=1, prefix="new")
    monkeypatch.setattr(model_module, "load_named_model", load_and_replace)
    served.check_folder()
    assert "was replaced while it was loaded" in served.reload_error
    served.check_folder()
    assert answer(served) == expected_reply(load_model(path), TEXTS, 5)


def test_thread_starts_with_first_use_and_after_stop(served):
    assert served._thread is None
    assert served.current
    first = served._thread
    served.stop_watching()
    first.join(60)
    assert served.current
    assert served._thread is not first


def test_suggest_as_json_is_equal_for_texts_alone_and_together(served):
    texts = make_texts(20, seed=3)
    together = json.loads(served.current.suggest_as_json(texts, 3))["suggestions"]
    alone = [json.loads(served.current.suggest_as_json([text], 3))["suggestions"] for text in texts]
    assert together == [suggestions for [suggestions] in alone]
