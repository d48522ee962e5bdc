"""Manipulated files with correct checksums: an error or a model, never a crash."""

import os

import numpy as np
import pytest
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
from skxmr import XRLinearClassifier, load_model, save_model

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


@pytest.mark.parametrize("n", [10, pytest.param(500, marks=MANY)])
def test_manipulated_models_never_crash(xmc_data, tmp_path, n):
    paths = save_models(tmp_path, xmc_data)
    counts = run_fuzzer(fuzz_models, 1000, n, paths)
    assert len(counts) == len(paths)
    for refused, loaded in counts:
        assert refused + loaded == 2 * n
        assert refused > n / 4


@pytest.mark.parametrize("n", [30, pytest.param(1000, marks=MANY)])
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
