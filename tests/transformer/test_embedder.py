"""TransformerEmbedder: embeddings of a frozen encoder."""

import copy
import pickle
import shutil
import socket
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

from skxmr.transformer import TransformerEmbedder, TransformerMatcher
from skxmr.transformer._encoder import Encoder, load_encoder


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args):
        raise AssertionError("a test used the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def embedder(tiny_bert):
    return TransformerEmbedder(tiny_bert, device="cpu").fit(["a"])


def test_embedding_is_mean_over_tokens(embedder, topic_texts):
    texts = [*topic_texts[0], ""]
    E = embedder.transform(texts)
    assert E.shape == (len(texts), 32)
    assert E.dtype == np.float32
    encoder = embedder.encoder_
    for row, text in enumerate(texts):
        inputs = encoder.tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            mean = encoder.model(**inputs).last_hidden_state[0].mean(0).numpy()
        np.testing.assert_allclose(E[row], mean / np.linalg.norm(mean), atol=1e-5)


def test_embedding_without_normalize_is_unscaled_mean(embedder, topic_texts):
    E = embedder.transform(topic_texts[0])
    unscaled = clone(embedder).set_params(normalize=False).fit_transform(topic_texts[0])
    norms = np.linalg.norm(unscaled, axis=1)
    assert norms.std() > 0
    np.testing.assert_allclose(unscaled / norms[:, None], E, atol=1e-6)


def test_embedding_does_not_depend_on_batch(embedder, topic_texts):
    texts = topic_texts[0]
    E = embedder.transform(texts)
    singly = np.vstack([embedder.transform([text]) for text in texts])
    np.testing.assert_allclose(singly, E, atol=1e-5)
    small = clone(embedder).set_params(batch_size=5).fit_transform(texts)
    np.testing.assert_allclose(small, E, atol=1e-5)
    np.testing.assert_array_equal(embedder.transform(texts), E)


def test_long_text_is_cut_to_max_length_and_to_limit_of_encoder(embedder, tiny_bert):
    words = ["wolf", "otter"] * 500
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        E = embedder.transform([" ".join(words), " ".join(words[:62])])
    np.testing.assert_allclose(E[0], E[1], atol=1e-5)  # 62 words and 2 special tokens
    short = TransformerEmbedder(tiny_bert, max_length=10)
    E = short.fit_transform([" ".join(words), " ".join(words[:8])])
    np.testing.assert_allclose(E[0], E[1], atol=1e-5)


def test_pickle_loads_without_encoder_folder(tiny_bert, tmp_path, topic_texts):
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    embedder = TransformerEmbedder(folder).fit(["a"])
    E = embedder.transform(topic_texts[0])
    shutil.rmtree(folder)
    before = torch.get_rng_state()
    loaded = pickle.loads(pickle.dumps(embedder))
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(loaded.transform(topic_texts[0]), E)
    assert loaded.encoder_.max_tokens == 64


def test_embedder_follows_scikit_learn_conventions(embedder, topic_texts):
    assert list(embedder.get_feature_names_out()[:2]) == [
        "transformerembedder0",
        "transformerembedder1",
    ]
    frame = clone(embedder).set_output(transform="pandas").fit_transform(pd.Series(["a", "b"]))
    assert list(frame.columns) == list(embedder.get_feature_names_out())
    with pytest.raises(NotFittedError):
        clone(embedder).transform(["a"])
    assert "TransformerEmbedder(" in repr(embedder)


@pytest.mark.parametrize("estimator", [TransformerEmbedder, TransformerMatcher])
def test_model_without_encoder_is_refused(estimator, tmp_path, tiny_bert, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    M = np.eye(2)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(ValueError, match="model must be a folder with an encoder"):
        estimator(folder).fit(["a", "b"], M)
    for missing in (tmp_path / "missing", str(tmp_path / "missing"), "./missing", "a/b/c"):
        with pytest.raises(ValueError, match="model must be a folder that exists"):
            estimator(missing).fit(["a", "b"], M)
    with pytest.raises(ValueError, match="got the name 'missing/name'"):
        estimator("missing/name").fit(["a", "b"], M)
    shutil.copy(f"{tiny_bert}/config.json", folder)
    with pytest.raises(ValueError, match="model must be a folder"):
        estimator(folder).fit(["a", "b"], M)
    (folder / "config.json").write_text("no json")
    with pytest.raises(ValueError, match="model must be a folder"):
        estimator(folder).fit(["a", "b"], M)


def test_model_without_weights_is_refused_and_missing_weights_warn(tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    encoder = load_encoder(folder)
    state = {n: t for n, t in encoder.model.state_dict().items() if "layer.1" not in n}
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="model must be a folder"):
        load_encoder(folder)
    encoder.model.save_pretrained(folder, state_dict=state)
    with pytest.warns(UserWarning, match="lacks 16 weights"):
        load_encoder(folder)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"device": "abacus"}, ValueError, "device must be"),
        ({"device": 2.5}, ValueError, "device must be"),
        ({"device": "cpu", "precision": "float16"}, ValueError, "needs a CUDA device"),
        ({"precision": "float8"}, InvalidParameterError, "precision"),
        ({"batch_size": 0}, InvalidParameterError, "batch_size"),
        ({"max_length": 2}, InvalidParameterError, "max_length"),
        ({"model": None}, InvalidParameterError, "model"),
    ],
)
def test_invalid_parameter_is_refused(tiny_bert, parameters, error, message):
    with pytest.raises(error, match=message):
        TransformerEmbedder(**{"model": tiny_bert, **parameters}).fit(["a"])


def test_device_cuda_is_refused_without_gpu(tiny_bert):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ValueError, match="device must be"):
        TransformerEmbedder(tiny_bert, device="cuda").fit(["a"])


def test_half_precision_is_close_to_float32(embedder, topic_texts):
    E = embedder.transform(topic_texts[0])
    half = clone(embedder).set_params(device="cpu", precision="bfloat16")
    np.testing.assert_allclose(half.fit_transform(topic_texts[0]), E, atol=0.05)


def test_parameter_changed_after_fit_is_validated(embedder, topic_texts):
    changed = copy.copy(embedder).set_params(batch_size=0)
    with pytest.raises(InvalidParameterError, match="batch_size"):
        changed.transform(topic_texts[0])


@pytest.mark.parametrize(
    "error",
    [torch.cuda.OutOfMemoryError("CUDA out of memory"), RuntimeError("can't allocate memory")],
)
def test_out_of_memory_error_names_batch_size_and_max_length(embedder, monkeypatch, error):
    def fail(*args):
        raise error

    monkeypatch.setattr(Encoder, "encode", fail)
    with pytest.raises(MemoryError, match=r"Lower batch_size \(now 32\) or max_length \(now 128\)"):
        embedder.transform(["a"])


def test_other_errors_of_encoder_are_not_changed(embedder, monkeypatch):
    def fail(*args):
        raise RuntimeError("unrelated error")

    monkeypatch.setattr(Encoder, "encode", fail)
    with pytest.raises(RuntimeError, match="unrelated error"):
        embedder.transform(["a"])


def test_import_without_torch_names_the_extra():
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch': raise ImportError(name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "import skxmr\n"
        "try:\n    import skxmr.transformer\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'skxmr[transformer]'" in done.stdout


def test_import_of_other_packages_does_not_import_torch():
    code = "import sys, skxmr, skxmr.calibration, skxmr.metrics; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
