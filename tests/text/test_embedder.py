"""`TextEmbedder`: embeddings of any encoder, stored on disk by content."""

import json
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.model_selection import GridSearchCV, KFold

from helpers.manipulations import rewrite_header
from skxmr import load_model, make_text_classifier, save_model
from skxmr.pipeline import FeatureUnion, MixedMatrix, make_pipeline
from skxmr.text import TextEmbedder, TfidfVectorizer
from skxmr.text._embedding_store import EmbeddingStore

TEXTS = ["a cab", "", "abba", "a cab", "a much longer text about cabs and bees"]


class Encoder:
    """Counts letters, and records the texts of each call."""

    # These are attributes of the class, so that a pickle does not contain them.
    calls = []
    fails_on = None

    def __init__(self, letters="abc", scale=1.0):
        self.letters, self.scale = letters, scale

    def encode(self, texts):
        if self.fails_on in texts:
            raise RuntimeError("no connection")
        self.calls.append(list(texts))
        return [[self.scale * text.count(letter) for letter in self.letters] for text in texts]


@pytest.fixture(autouse=True)
def no_calls():
    Encoder.calls.clear()


def expected(texts, letters="abc"):
    counts = np.array([[text.count(letter) for letter in letters] for text in texts], dtype=float)
    lengths = np.linalg.norm(counts, axis=1, keepdims=True)
    return (counts / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def test_equal_texts_are_embedded_once_and_longest_first():
    embedder = TextEmbedder(Encoder(), batch_size=2).fit(TEXTS)
    assert Encoder.calls == [["a cab"]]
    Encoder.calls.clear()
    assert_array_equal(embedder.transform(TEXTS), expected(TEXTS))
    assert Encoder.calls == [[TEXTS[4], "a cab"], ["abba", ""]]
    assert embedder.get_feature_names_out().tolist() == [f"textembedder{i}" for i in range(3)]


def test_stored_embeddings_are_used_again(tmp_path):
    embedder = TextEmbedder(Encoder(), cache_dir=tmp_path / "new" / "folder").fit(TEXTS)
    first = embedder.transform(TEXTS[:3])
    Encoder.calls.clear()
    again = clone(embedder).fit(TEXTS)
    assert_array_equal(again.transform(TEXTS), expected(TEXTS))
    assert_array_equal(again.transform(TEXTS[:3]), first)
    assert Encoder.calls == [["a cab"], [TEXTS[4]]]


@pytest.mark.parametrize(
    "changed",
    [{"encoder": Encoder("abd")}, {"normalize": False}, {"dtype": "float16"}],
    ids=["encoder", "normalize", "dtype"],
)
def test_other_encoders_and_options_do_not_share_embeddings(tmp_path, changed):
    TextEmbedder(Encoder(), cache_dir=tmp_path).fit_transform(TEXTS)
    other = TextEmbedder(**{"encoder": Encoder(), "cache_dir": tmp_path, **changed})
    without = TextEmbedder(**{"encoder": Encoder(), **changed})
    assert_array_equal(other.fit_transform(TEXTS), without.fit_transform(TEXTS))
    assert len(list(tmp_path.iterdir())) == 2
    other.set_params(normalize=not other.normalize)
    without.set_params(normalize=not without.normalize)
    assert_array_equal(other.transform(TEXTS), without.transform(TEXTS))


def test_batches_are_stored_before_an_error(tmp_path, monkeypatch):
    embedder = TextEmbedder(Encoder(), cache_dir=tmp_path, batch_size=1).fit(TEXTS)
    monkeypatch.setattr(Encoder, "fails_on", "")
    with pytest.raises(RuntimeError, match="no connection"):
        embedder.transform(TEXTS)
    monkeypatch.undo()
    Encoder.calls.clear()
    assert_array_equal(embedder.transform(TEXTS), expected(TEXTS))
    assert Encoder.calls == [[""]]


@pytest.mark.parametrize("stored", [b"short", b"\xff" * 12, "text", None])
def test_damaged_embeddings_are_computed_again(tmp_path, stored):
    embedder = TextEmbedder(Encoder(), cache_dir=tmp_path).fit(TEXTS)
    embedder.transform(TEXTS)
    (path,) = tmp_path.iterdir()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE embeddings SET embedding = ?", [stored])
    connection.close()
    assert_array_equal(embedder.transform(TEXTS), expected(TEXTS))
    Encoder.calls.clear()
    embedder.transform(TEXTS)
    assert Encoder.calls == []


def test_other_files_are_refused(tmp_path):
    embedder = TextEmbedder(Encoder(), cache_dir=tmp_path).fit(TEXTS)
    embedder.transform(TEXTS)
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(OSError, match="cannot be used as a store of embeddings.*cache_dir"):
        embedder.transform(TEXTS)


def test_encoders_that_cannot_be_pickled_are_not_stored(tmp_path):
    encoder = Encoder()
    encoder.function = lambda: None
    with pytest.raises(TypeError, match="cache_dir must be None if the encoder cannot be pickled"):
        TextEmbedder(encoder, cache_dir=tmp_path).fit(TEXTS)
    assert_array_equal(TextEmbedder(encoder).fit(TEXTS).transform(TEXTS), expected(TEXTS))


def test_unusable_cache_dir_is_found_before_texts_are_embedded(tmp_path):
    (tmp_path / "file").write_text("")
    embedder = TextEmbedder(Encoder(), cache_dir=tmp_path / "file").fit(TEXTS)
    Encoder.calls.clear()
    with pytest.raises(OSError, match="cache_dir must be a folder that can be written"):
        embedder.transform(TEXTS)
    assert Encoder.calls == []


def test_empty_store_is_completed_and_view_is_refused(tmp_path):
    embedder = TextEmbedder(Encoder(), cache_dir=tmp_path).fit(TEXTS)
    embedder.transform(TEXTS)
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"")  # left by a process that was killed
    assert_array_equal(embedder.transform(TEXTS), expected(TEXTS))
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE VIEW embeddings AS SELECT x'00' AS digest, x'00' AS embedding")
    connection.close()
    with pytest.raises(OSError, match="embeddings is not a table"):
        embedder.transform(TEXTS)


def test_clones_share_encoders_but_not_estimators():
    embedder = TextEmbedder(Encoder()).set_output(transform="pandas")
    assert clone(embedder).encoder is embedder.encoder
    assert clone(embedder)._sklearn_output_config == {"transform": "pandas"}
    svd = TextEmbedder(make_svd())
    assert clone(svd).encoder is not svd.encoder


class Returning:
    def __init__(self, *results):
        self.results = list(results)

    def encode(self, texts):
        return self.results.pop(0)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.ones(3), r"got shape \(3,\)"),
        (np.ones((2, 3)), r"got shape \(2, 3\) .* for 1 texts"),
        ([["a", "b"]], "dtype <U1"),
        (np.array([[np.nan, 1.0]]), "only finite values; got NaN or infinity for the text 'a'"),
    ],
)
def test_results_of_encoders_are_checked(result, message):
    with pytest.raises(ValueError, match=message):
        TextEmbedder(Returning(result)).fit(["a"])


def test_other_results_in_transform_are_refused():
    embedder = TextEmbedder(Returning(np.ones((1, 3)), np.ones((1, 2)))).fit(["a"])
    with pytest.raises(ValueError, match="must return 3 numbers per text, as in fit; got 2"):
        embedder.transform(["a"])
    large = np.full((1, 2), 1e6)
    embedder = TextEmbedder(Returning(large, large), normalize=False, dtype="float16").fit(["a"])
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="float16 can hold"):
        embedder.transform(["a"])


def test_extreme_lengths_are_normalized():
    embedder = TextEmbedder(Returning(np.ones((1, 1)), np.array([[1e-30], [1e30], [0.0]])))
    assert_array_equal(embedder.fit(["a"]).transform(["a", "b", "c"]), [[1], [1], [0]])


def test_invalid_parameters_and_texts_are_refused():
    for parameters in ({"encoder": 3}, {"dtype": "float64"}, {"batch_size": 0}):
        with pytest.raises(ValueError, match=f"The '{next(iter(parameters))}' parameter"):
            TextEmbedder(**{"encoder": Encoder(), **parameters}).fit(TEXTS)
    with pytest.raises(ValueError, match="must contain only strings"):
        TextEmbedder(Encoder()).fit(["a", None])


def test_progress_is_printed(capsys):
    TextEmbedder(Encoder(), verbose=1, batch_size=2).fit(TEXTS).transform(TEXTS)
    assert "[TextEmbedder] 4 of 4 texts embedded, " in capsys.readouterr().out


DOCUMENTS = ["red apples", "ripe pears", "a fast car", "an old bus"] * 6
TOPICS = [["fruit"], ["fruit", "green"], ["vehicle"], ["vehicle", "old"]] * 6


def make_svd():
    return make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0))


@pytest.mark.parametrize("embedder", [Encoder(), TextEmbedder(Encoder()), make_svd()])
def test_text_classifier_joins_words_and_embeddings(embedder):
    model = make_text_classifier(embedder=embedder, random_state=0).fit(DOCUMENTS, TOPICS)
    rows = model.named_steps["features"].transform(DOCUMENTS[:4])
    assert isinstance(rows, MixedMatrix)
    assert [len(pairs) for pairs in model.suggest(DOCUMENTS[:2], k=2)] == [2, 2]
    single = [model.suggest([text])[0] for text in DOCUMENTS[:4]]
    assert single == model.suggest(DOCUMENTS[:4])
    assert model.explain("ripe apples", "fruit").rank == 1


def test_weight_of_embeddings_is_tuned_with_stored_embeddings(tmp_path):
    model = make_text_classifier(embedder=TextEmbedder(Encoder(), cache_dir=tmp_path))
    grid = {"features__transformer_weights": [{"embedder": w} for w in (0.25, 1.0)]}
    search = GridSearchCV(model, grid, cv=KFold(2))
    search.fit(np.array(DOCUMENTS), np.array([topics[0] for topics in TOPICS]))
    embedded = [text for call in Encoder.calls for text in call if len(call) > 1]
    assert sorted(embedded) == sorted(set(DOCUMENTS))


def test_invalid_embedders_are_refused():
    with pytest.raises(TypeError, match="embedder must be a path .* of type int"):
        make_text_classifier(embedder=3)
    with pytest.raises(ValueError, match="encoder must be an object; got 'folder'. .*Transformer"):
        TextEmbedder("folder").fit(TEXTS)


def test_store_needs_little_more_than_the_embeddings(tmp_path):
    texts = [f"text {i}" for i in range(2000)]
    store = EmbeddingStore(tmp_path / "store", 384, "float32")
    store.save(texts, np.ones((2000, 384), dtype=np.float32))
    assert store.path.stat().st_size < 1.3 * 2000 * 384 * 4


def test_modules_of_torch_have_the_same_key_in_other_processes(tmp_path):
    pytest.importorskip("torch")
    code = (
        "import torch, sys; from skxmr.text import TextEmbedder; torch.manual_seed(0)\n"
        "class Encoder(torch.nn.Linear):\n"
        "    def encode(self, texts): return [[len(text), 1.0] for text in texts]\n"
        "TextEmbedder(Encoder(3, 2), cache_dir=sys.argv[1]).fit_transform(['a', 'bc'])"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
    assert len(list(tmp_path.iterdir())) == 1


def test_saved_embedder_contains_the_fitted_encoder_once(tmp_path):
    names = []
    for number, encoder in enumerate([make_svd(), make_svd().fit(DOCUMENTS)]):
        embedder = TextEmbedder(encoder).fit(DOCUMENTS)
        model = make_text_classifier(embedder=embedder, random_state=0).fit(DOCUMENTS, TOPICS)
        save_model(model, tmp_path / str(number))
        names.append(sorted(file.name for file in (tmp_path / str(number)).iterdir()))
        assert load_model(tmp_path / str(number)).suggest(DOCUMENTS) == model.suggest(DOCUMENTS)
    assert names[0] == names[1]


def test_saved_pipelines_do_not_write_to_the_cache_of_the_file(tmp_path):
    embedder = TextEmbedder(make_svd(), cache_dir=tmp_path / "cache")
    model = make_text_classifier(embedder=embedder, random_state=0).fit(DOCUMENTS, TOPICS)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.suggest(DOCUMENTS) == model.suggest(DOCUMENTS)
    assert isinstance(loaded.steps[0][1], FeatureUnion)
    assert loaded.get_params()["features__embedder__cache_dir"] is None

    def set_cache_dir(header):
        text = json.dumps(header).replace('"cache_dir": null', f'"cache_dir": "{tmp_path}/new"')
        assert f"{tmp_path}/new" in text
        header.clear()
        header.update(json.loads(text))

    rewrite_header(tmp_path / "model", set_cache_dir)
    load_model(tmp_path / "model").suggest(DOCUMENTS)
    assert not (tmp_path / "new").exists()
    with pytest.raises(TypeError, match="Encoder"):
        save_model(
            make_text_classifier(embedder=Encoder()).fit(DOCUMENTS, TOPICS), tmp_path / "other"
        )
