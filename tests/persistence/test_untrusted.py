"""Manipulated files with correct checksums: an error or a model, never a crash."""

import os
import shutil

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MultiLabelBinarizer, Normalizer

from helpers import fuzz_checkpoints, fuzz_models
from helpers.fuzz_limits import run_fuzzer
from helpers.manipulations import rewrite_header
from helpers.step_models import fit_model, make_models
from skxmr import LabelHierarchy, XRLinearClassifier, load_model, save_model
from skxmr.persistence import load_extras

TEXTS = [f"topic{i % 5} number {i} of the river" for i in range(60)]
LINEAR_MODELS = {
    "default": {},
    "int8 trees": {"weight_dtype": "int8", "n_trees": 2, "max_leaf_size": 40},
    "uneven": {"max_leaf_size": 1, "weight_dtype": "float16"},
    "hierarchy": {},
}
# The union is not part of the pipeline, so that more seeds change the vectorizers.
TEXT_MODELS = {
    "pipeline": make_pipeline(TfidfVectorizer(), XRLinearClassifier(max_leaf_size=2)),
    "union": make_union(
        make_pipeline(CountVectorizer(vocabulary=["river", "topic1"]), TfidfTransformer()),
        make_pipeline(HashingVectorizer(n_features=64, analyzer="char"), Normalizer()),
    ),
    "vectorizer": TfidfVectorizer(stop_words=["of"]),
    "binarizer": MultiLabelBinarizer(sparse_output=True),
}
MANY = pytest.mark.slow(reason="the same with more seeds")


def save_models(folder, xmc_data):
    """Save all models, and return their paths."""
    for name, params in LINEAR_MODELS.items():
        model = XRLinearClassifier(4, random_state=0).set_params(**params).fit(*xmc_data)
        save_model(model.hierarchy_ if name == "hierarchy" else model, folder / name)
    for name, model in TEXT_MODELS.items():
        if name == "binarizer":
            model.fit([[f"label{i % 5}", f"other{i % 3}"] for i in range(60)])
        else:
            model.fit(TEXTS, np.arange(60) % 5)
        save_model(model, folder / name)
    return [folder / name for name in (*LINEAR_MODELS, *TEXT_MODELS)]


@pytest.mark.parametrize("n", [10, pytest.param(300, marks=MANY)])
def test_manipulated_models_never_crash(xmc_data, tmp_path, n):
    paths = save_models(tmp_path, xmc_data)
    counts = run_fuzzer(fuzz_models, 1000, n, paths)
    assert len(counts) == len(paths)
    for refused, loaded in counts:
        assert refused + loaded == 2 * n
        assert refused > n / 4


@pytest.mark.parametrize("n", [4, pytest.param(300, marks=MANY)])
@pytest.mark.parametrize("half", [0, 1])
def test_manipulated_steps_never_crash(tmp_path, half, n):
    models = dict(list(make_models().items())[half::2])
    for name, (model, rows) in models.items():
        save_model(fit_model(model, rows), tmp_path / name)
    counts = run_fuzzer(fuzz_models, 1000, n, [tmp_path / name for name in models])
    assert len(counts) == len(models)
    for refused, loaded in counts:
        assert refused + loaded == 2 * n
    assert sum(refused for refused, _ in counts) > len(models) * n / 4


@pytest.mark.parametrize("n", [30, pytest.param(500, marks=MANY)])
def test_fits_with_a_manipulated_checkpoint_never_crash(n):
    for refused, finished in run_fuzzer(fuzz_checkpoints, 1000, n, ["blocks", "levels"]):
        assert refused + finished == n
        assert refused > n / 4


def test_links_and_pipes_are_not_followed(xmc_data, tmp_path):
    save_model(XRLinearClassifier(random_state=0).fit(*xmc_data), tmp_path / "model")
    for name in ("header.json", sorted(path.name for path in (tmp_path / "model").iterdir())[0]):
        path = tmp_path / "model" / name
        path.rename(tmp_path / name)
        path.symlink_to(tmp_path / name)
        with pytest.raises(ValueError, match=name):
            load_model(tmp_path / "model")
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(ValueError, match=name):
            load_model(tmp_path / "model")
        path.unlink()
        (tmp_path / name).rename(path)
    load_model(tmp_path / "model")


@pytest.mark.parametrize("cls", [TfidfVectorizer, CountVectorizer, HashingVectorizer])
def test_vectorizers_that_read_files_are_refused(tmp_path, cls):
    vectorizer = cls(input="filename")
    (tmp_path / "text").write_text("a river")
    model = make_pipeline(vectorizer, Normalizer()).fit([str(tmp_path / "text")])
    with pytest.raises(TypeError, match="input of .*Vectorizer must be 'content'.*joblib"):
        save_model(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()
    save_model(
        model.set_params(**{f"{cls.__name__.lower()}__input": "content"}), tmp_path / "model"
    )

    def change(header):
        step = header["model"]["fields"]["params"]["dict"]["steps"][0]["tuple"][1]
        step["fields"]["params"]["dict"]["input"] = "filename"

    rewrite_header(tmp_path / "model", change)
    with pytest.raises(ValueError, match="input must be 'content'; got 'filename'.*params.steps"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"ngram_range": {"tuple": [-(10**12), 1]}}, "ngram_range must increase"),
        ({"token_pattern": "("}, "unterminated subpattern"),
        ({"encoding": "other"}, "unknown encoding"),
        ({"dtype": {"type": "|S5"}}, "dtype must be a dtype of numbers"),
        ({"stop_words": [1]}, "stop_words must be strings"),
        ({"lowercase": "yes"}, "'lowercase' parameter"),
    ],
    ids=str,
)
def test_load_model_refuses_invalid_parameters_of_vectorizers(tmp_path, params, message):
    save_model(TfidfVectorizer().fit(TEXTS), tmp_path / "model")
    rewrite_header(
        tmp_path / "model",
        lambda header: header["model"]["fields"]["params"]["dict"].update(params),
    )
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path / "model")


def test_save_model_refuses_vocabularies_that_could_not_be_loaded(tmp_path):
    for vocabulary in ({"river": 0, "topic": 2}, {"river": 0, "topic": 0}):
        vectorizer = TfidfVectorizer().fit(TEXTS)
        vectorizer.vocabulary_ = vocabulary
        with pytest.raises(ValueError, match="vocabulary_ must contain each column once"):
            save_model(vectorizer, tmp_path / "model")
    vectorizer = TfidfVectorizer().fit(TEXTS)
    vectorizer.vocabulary_ = {"river": 0}
    with pytest.raises(ValueError, match="idf_ must have 1 entries"):
        save_model(vectorizer, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_load_model_refuses_attributes_that_hide_methods(tmp_path):
    save_model(TfidfVectorizer().fit(TEXTS), tmp_path / "model")
    rewrite_header(
        tmp_path / "model",
        lambda header: header["model"]["fields"]["fitted"]["dict"].update(transform=1),
    )
    with pytest.raises(ValueError, match="TfidfVectorizer has no fitted attribute 'transform'"):
        load_model(tmp_path / "model")


def test_extras_that_would_fill_the_memory_are_refused(tmp_path):
    extras = {
        "names": np.array(["a", "bc"], dtype=object),
        "diagonal": sp.dia_array(sp.eye_array(5000)),
        "number": np.float32(1),
    }
    save_model(LabelHierarchy.from_memberships([0, 0, 1]), tmp_path / "model", extras=extras)
    load_extras(tmp_path / "model")

    def repeat_names(extras):
        extras["again"] = extras["names"]

    def use_voids(extras):
        extras["number"] = {"scalar": "|V1", "value": 2**40}

    def transpose(extras):
        extras["diagonal"]["sparse"], extras["diagonal"]["compressed"] = "csr_array", "csc"

    for change, message in (
        (repeat_names, "is used twice"),
        (use_voids, "a scalar of the unknown dtype"),
        (transpose, "must be stored as csr"),
    ):
        copy = shutil.copytree(tmp_path / "model", tmp_path / change.__name__)
        rewrite_header(copy, lambda header, change=change: change(header["extras"]["dict"]))
        with pytest.raises(ValueError, match=message):
            load_extras(copy)
    anti_diagonal = sp.csr_array(sp.eye_array(5000))[::-1]
    save_model(TfidfVectorizer().fit(TEXTS), tmp_path / "other", extras={"diagonal": anti_diagonal})
    rewrite_header(
        tmp_path / "other",
        lambda header: header["extras"]["dict"]["diagonal"].update(sparse="dia_array"),
    )
    with pytest.raises(ValueError, match="must have few diagonals; got 5000"):
        load_extras(tmp_path / "other")
