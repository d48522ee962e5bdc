"""Manipulated models with encoders, and manipulated checkpoints: an error, never a crash."""

import json
import os

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from helpers import fuzz_matcher_checkpoints, fuzz_models
from helpers.fuzz_limits import run_fuzzer
from helpers.manipulations import rewrite_array
from skxmr import load_model, save_model
from skxmr.transformer import TransformerEmbedder, TransformerMatcher, XTransformerClassifier

MANY = pytest.mark.slow(reason="the same with more seeds")


def save_models(encoder, texts, M, folder):
    """Save a classifier, its matcher and an embedder; return their paths."""
    classifier = XTransformerClassifier(
        encoder,
        max_leaf_size=4,
        matcher=TransformerMatcher(encoder, n_epochs=1, max_length=32),
        cluster_scores="mean",
        vectorizer=CountVectorizer(),
        random_state=0,
    ).fit(texts, M)
    embedder = TransformerEmbedder(encoder).fit(texts)
    paths = [folder / name for name in ("classifier", "matcher", "embedder")]
    for model, path in zip((classifier, classifier.encoders_[0], embedder), paths, strict=True):
        save_model(model, path)
    return paths


@pytest.mark.parametrize("n", [4, pytest.param(300, marks=MANY)])
def test_manipulated_models_never_crash(tiny_bert, topic_texts, tmp_path, n):
    paths = save_models(tiny_bert, *topic_texts, tmp_path)
    counts = run_fuzzer(fuzz_models, 1000, n, paths)
    assert len(counts) == len(paths)
    for refused, loaded in counts:
        assert refused + loaded == 2 * n
        assert refused


@pytest.mark.parametrize("n", [8, pytest.param(300, marks=MANY)])
def test_fits_with_a_manipulated_checkpoint_never_crash(tiny_bert, n):
    [(refused, finished)] = run_fuzzer(fuzz_matcher_checkpoints, 1000, n, [tiny_bert])
    assert refused + finished == n
    assert refused > n / 4


@pytest.fixture
def model(tiny_bert, topic_texts, tmp_path):
    """Return the folder of a saved embedder."""
    save_model(TransformerEmbedder(tiny_bert).fit(topic_texts[0]), tmp_path / "model")
    return tmp_path / "model"


def change_json(model, name, **values):
    """Change a file of the encoder of a saved embedder."""
    rewrite_array(
        model,
        f"encoder_.files.{name}.npy",
        lambda content: json.dumps({**json.loads(content), **values}).encode(),
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_hidden_layers": 10**9}, "num_hidden_layers of config.json must be at most"),
        ({"num_hidden_layers": 9000}, "a larger network than the stored weights"),
        ({"hidden_size": 10**6, "intermediate_size": 10**6}, "and the weights disagree about"),
        ({"max_position_embeddings": 10**12}, "and the weights disagree about"),
        ({"num_labels": 10**9}, "num_labels of config.json must be at most"),
        ({"attn_implementation": "someone/kernel"}, "unknown attn_implementation"),
        (
            {"model_type": "other", "auto_map": {"AutoConfig": "other.Config"}},
            "code that is not part of transformers",
        ),
        (
            {"model_type": "other", "auto_map": {"AutoConfig": "someone/other--code.Config"}},
            "code that is not part of transformers",
        ),
        ({"return_dict": False}, "The field is model.fitted.encoder_"),
        ({"hidden_act": "other"}, "The field is model.fitted.encoder_"),
    ],
    ids=str,
)
def test_load_model_refuses_configurations_of_other_networks(model, values, message):
    change_json(model, "config.json", **values)
    with pytest.raises(ValueError, match=f"model, written by skxmr .*{message}"):
        load_model(model)


def test_load_model_opens_no_file_that_a_tokenizer_names(model, tmp_path, topic_texts):
    expected = load_model(model).transform(topic_texts[0])
    os.mkfifo(tmp_path / "pipe")  # reading from it would never end
    path = str(tmp_path / "pipe")
    change_json(model, "tokenizer_config.json", vocab_file=path, tokenizer_file=path)
    np.testing.assert_array_equal(load_model(model).transform(topic_texts[0]), expected)
    change_json(model, "tokenizer_config.json", init_inputs=[path])
    with pytest.raises(ValueError, match="must have no init_inputs"):
        load_model(model)


def test_encoder_refuses_token_ids_outside_of_its_vocabulary(model, topic_texts):
    embedder = load_model(model)
    embedder.encoder_.tokenizer.add_tokens(["newword"])
    with pytest.raises(ValueError, match="token ids of the tokenizer must be less than 31"):
        embedder.transform(["a newword"])
    with pytest.raises(ValueError, match='device must be "auto" or a device that torch can use'):
        load_model(model).set_params(device="meta").transform(topic_texts[0])
