"""Models with encoders, saved and loaded: equal models, without the folder of the encoder."""

import json
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from skxmr import LabelHierarchy, XRLinearClassifier, load_model, save_model
from skxmr._core import array_folder
from skxmr.transformer import TransformerEmbedder, TransformerMatcher, XTransformerClassifier

SHORT_TRAINING = {"n_epochs": 1, "max_length": 32}
PARAMETERS = {
    "frozen": lambda folder: {"matcher": TransformerEmbedder(folder, max_length=32)},
    "fine-tuned": lambda folder: {"matcher": TransformerMatcher(folder, **SHORT_TRAINING)},
    "mean of two": lambda folder: {
        "model": [folder, folder],
        "matcher": TransformerMatcher(".", **SHORT_TRAINING),
        "cluster_scores": "mean",
        "vectorizer": CountVectorizer(binary=True),
        "classifier": XRLinearClassifier(C=2.0, beam_width=3),
    },
    "transformer": lambda folder: {
        "matcher": TransformerMatcher(folder, **SHORT_TRAINING, loss="log_loss"),
        "cluster_scores": "transformer",
    },
}


@pytest.fixture
def folder(tiny_bert, tmp_path):
    """Return a copy of the encoder's folder that a test may remove."""
    return str(shutil.copytree(tiny_bert, tmp_path / "encoder"))


@pytest.fixture
def map_small_files(monkeypatch):
    """Memory-map small files too."""
    monkeypatch.setattr(array_folder, "MIN_MAPPED_BYTES", 0)


def comparable_parameters(estimator):
    """Return the parameters, with types in place of estimators."""
    return {
        name: type(value) if hasattr(value, "get_params") else value
        for name, value in estimator.get_params().items()
    }


@pytest.mark.parametrize("mmap_mode", [None, "r"])
@pytest.mark.parametrize("make_parameters", PARAMETERS.values(), ids=PARAMETERS)
def test_classifier_predicts_identically_after_loading(
    folder, topic_texts, tmp_path, map_small_files, make_parameters, mmap_mode
):
    texts, M = topic_texts
    options = {"model": folder, "max_leaf_size": 4, "random_state": 0, **make_parameters(folder)}
    model = XTransformerClassifier(**options).fit(texts, M)
    save_model(model, tmp_path / "model")
    expected = model.predict_proba(texts), model.predict_topk(texts, k=3)
    shutil.rmtree(folder)
    before = torch.get_rng_state()
    loaded = load_model(tmp_path / "model", mmap_mode=mmap_mode)
    assert torch.equal(before, torch.get_rng_state())
    assert type(loaded) is XTransformerClassifier
    assert comparable_parameters(loaded) == comparable_parameters(model)
    assert vars(loaded).keys() == vars(model).keys()
    assert (loaded.predict_proba(texts) != expected[0]).nnz == 0
    for loaded_array, array in zip(loaded.predict_topk(texts, k=3), expected[1], strict=True):
        np.testing.assert_array_equal(loaded_array, array)
    assert loaded.hierarchy_ == model.hierarchy_
    wide = model.set_params(classifier=XRLinearClassifier(beam_width=None)).predict_proba(texts)
    loaded.set_params(classifier=XRLinearClassifier(beam_width=None))
    assert (loaded.predict_proba(texts) != wide).nnz == 0
    save_model(loaded, tmp_path / "model")  # replaces files that may be mapped
    assert (load_model(tmp_path / "model").predict_proba(texts) != wide).nnz == 0


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_matcher_and_embedder_predict_identically_after_loading(
    folder, topic_texts, tmp_path, map_small_files, mmap_mode
):
    texts, M = topic_texts
    options = {"device": torch.device("cpu"), "precision": "float32"}
    tree = LabelHierarchy.from_memberships(np.arange(16) // 4)
    matcher = TransformerMatcher(
        Path(folder), hierarchy=tree, random_state=0, **SHORT_TRAINING, **options
    )
    embedder = TransformerEmbedder(Path(folder), normalize=False, **options)
    for model in (matcher.fit(texts, M), embedder.fit(texts)):
        save_model(model, tmp_path / type(model).__name__)
    shutil.rmtree(folder)
    for model in (matcher, embedder):
        loaded = load_model(tmp_path / type(model).__name__, mmap_mode=mmap_mode)
        assert loaded.get_params() == model.get_params()
        assert isinstance(loaded.model, Path)
        np.testing.assert_array_equal(loaded.transform(texts), model.transform(texts))
        if model is matcher:
            assert (loaded.predict_proba(texts) != model.predict_proba(texts)).nnz == 0
            assert loaded.hierarchy_ == tree


def test_pipeline_with_embedder_predicts_identically_after_loading(folder, topic_texts, tmp_path):
    texts, M = topic_texts
    model = make_pipeline(TransformerEmbedder(folder), XRLinearClassifier(random_state=0))
    save_model(model.fit(texts, M), tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert (loaded.predict_proba(texts) != model.predict_proba(texts)).nnz == 0


def test_saved_files_are_arrays_and_heads_are_stored_once(folder, topic_texts, tmp_path):
    texts, M = topic_texts
    model = XTransformerClassifier(
        folder,
        max_leaf_size=4,
        matcher=TransformerMatcher(folder, **SHORT_TRAINING),
        cluster_scores="transformer",
        random_state=0,
    ).fit(texts, M)
    save_model(model, tmp_path / "model")
    files = {file.name: file for file in (tmp_path / "model").iterdir()}
    arrays = {n: np.load(f, allow_pickle=False) for n, f in files.items() if n != "header.json"}
    name = "encoders_.0.encoder_.weights.embeddings.word_embeddings.weight.npy"
    weights = model.encoders_[0].encoder_.model.state_dict()
    np.testing.assert_array_equal(
        arrays[name], weights["embeddings.word_embeddings.weight"].numpy()
    )
    config = json.loads(arrays["encoders_.0.encoder_.files.config.json.npy"].tobytes())
    assert config["hidden_size"] == 32
    # The encoder and the matcher of the linear classifier share the heads.
    assert sum("heads" in name and "weights" in name for name in arrays) == len(
        model.encoders_[0].heads_.weights
    )


def test_save_model_refuses_unfitted_models_and_names_unsupported_parameter(
    folder, topic_texts, tmp_path
):
    for cls in (TransformerEmbedder, TransformerMatcher, XTransformerClassifier):
        with pytest.raises(NotFittedError):
            save_model(cls(folder), tmp_path / "model")
    texts, M = topic_texts
    model = XTransformerClassifier(folder, matcher="frozen").fit(texts, M)
    model.set_params(classifier=XRLinearClassifier(matcher=MultinomialNB()))
    with pytest.raises(TypeError, match=r"classifier\.params\.matcher.*joblib"):
        save_model(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_load_model_detects_damaged_weights(folder, topic_texts, tmp_path):
    save_model(TransformerEmbedder(folder).fit(topic_texts[0]), tmp_path / "model")
    file = max((tmp_path / "model").glob("*weights*.npy"), key=lambda file: file.stat().st_size)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=file.name):
        load_model(tmp_path / "model")


@pytest.mark.parametrize(
    "name", ["../outside.json", "modeling_own.py", "pytorch_model.bin", "..", "a/b", "C:x", ""]
)
def test_load_model_refuses_unsafe_file_names(folder, topic_texts, tmp_path, name):
    save_model(TransformerEmbedder(folder).fit(topic_texts[0]), tmp_path / "model")
    path = tmp_path / "model" / "header.json"
    header = json.loads(path.read_text())
    del header["checksum"]
    files = header["model"]["fields"]["fitted"]["dict"]["encoder_"]["fields"]["files"]["dict"]
    files[name] = files["config.json"]
    header["checksum"] = f"{zlib.crc32(json.dumps(header, sort_keys=True).encode()):08x}"
    path.write_text(json.dumps(header))
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        load_model(tmp_path / "model")


def test_save_model_refuses_encoder_with_python_code(folder, topic_texts, tmp_path, monkeypatch):
    embedder = TransformerEmbedder(folder).fit(topic_texts[0])
    state = embedder.encoder_.__getstate__()
    state["files"]["modeling_own.py"] = b""
    monkeypatch.setattr(type(embedder.encoder_), "__getstate__", lambda self: state)
    with pytest.raises(TypeError, match=r"BertModel.*'modeling_own\.py'.*joblib"):
        save_model(embedder, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_load_model_without_transformers_names_the_extra(folder, topic_texts, tmp_path):
    save_model(TransformerEmbedder(folder).fit(topic_texts[0]), tmp_path / "model")
    code = (
        "import sys; sys.modules['transformers'] = None; from skxmr import load_model\n"
        "load_model(sys.argv[1])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install 'skxmr[transformer]'" in done.stderr
