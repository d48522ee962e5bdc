"""TF-IDF vectorizers of PECOS."""

import json
import shutil

import numpy as np
import pytest

from helpers.interop_files import FIXTURES, change_bytes, each_file, load_arrays
from skxmr import load_model, save_model
from skxmr.interop import load_pecos_vectorizer

EXPECTED = load_arrays("pecos_vectorizers.npz")
TEXTS = [
    "a sparse matrix, a Sparse vector.",
    "a sparse  vector of the words",
    "ein B\u00e4r l\u00e4uft\tschnell",
    "the words the words the",
    "",
    "a a a bear",
    "the unknown word a sparse",
]


@pytest.fixture
def folder(tmp_path):
    """Return a copy of a vectorizer of words."""
    return shutil.copytree(FIXTURES / "pecos_vectorizer_ngrams", tmp_path / "vectorizer")


@pytest.mark.parametrize("name", ["words", "ngrams", "binary"])
def test_matrices_are_those_of_pecos(name, tmp_path):
    vectorizer = load_pecos_vectorizer(FIXTURES / f"pecos_vectorizer_{name}")
    X = vectorizer.transform(TEXTS)
    assert X.dtype == np.float32
    np.testing.assert_allclose(X.toarray(), EXPECTED[name], rtol=1e-6)
    for row, text in enumerate(TEXTS):
        np.testing.assert_array_equal(vectorizer.transform([text]).toarray()[0], X.toarray()[row])
    save_model(vectorizer, tmp_path / "model")
    saved = load_model(tmp_path / "model").transform(TEXTS)
    np.testing.assert_array_equal(saved.toarray(), X.toarray())


def test_old_folders_have_no_meta_file(folder):
    old = shutil.copytree(folder / "0.base", folder.parent / "old")
    X = load_pecos_vectorizer(old).transform(TEXTS)
    np.testing.assert_allclose(X.toarray(), EXPECTED["ngrams"], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("char", r"tokenizer/config.json must have 10 \(words\) as 'token_type'"),
        ("truncated", "must have a 'max_length' of at most 0"),
        ("two", "meta.json must describe a single vectorizer; got 2"),
    ],
)
def test_other_vectorizers_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        load_pecos_vectorizer(FIXTURES / f"pecos_vectorizer_{name}")


def edit(folder, **values):
    file = folder / "0.base" / "vectorizer" / "config.json"
    config = json.loads(file.read_text())
    config["kwargs"].update(values)
    file.write_text(json.dumps(config))


def write_ngrams(folder, text):
    (folder / "0.base" / "vectorizer" / "tfidf-model.txt").write_text(text)


def write_tokens(folder, content):
    (folder / "0.base" / "tokenizer" / "vocab.txt").write_bytes(content)


LINE = "0\t1.5\t1\t0\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: shutil.rmtree(f), "vectorizer must be a folder with a vectorizer of PECOS"),
        (lambda f: (f / "config.json").write_text('{"type": "sklearntfidf", "kwargs": {}}'), "tfi"),
        (lambda f: (f / "config.json").write_text('{"type": "tfidf"}'), "with 'kwargs'; got 'tfi"),
        (lambda f: edit(f, binary=1), "must have true or false as 'binary'; got 1"),
        (lambda f: edit(f, norm_p="l3"), "must have 'l1' or 'l2' as 'norm_p'; got 'l3'"),
        (lambda f: edit(f, ngram_range=[1]), "as 'ngram_range'; got .1."),
        (lambda f: edit(f, ngram_range=[1, True]), "as 'ngram_range'; got .1, True."),
        (lambda f: edit(f, ngram_range=[2, 1]), "as 'ngram_range'; got .2, 1."),
        (lambda f: edit(f, ngram_range=[1, 1000]), "two integers from 1 to 100 as 'ngram_range'"),
        (lambda f: edit(f, max_length=None), "as 'max_length'; got None"),
        (lambda f: write_tokens(f, b"x"), "vocab.txt must be UTF-8 and begin with a number; got"),
        (lambda f: write_tokens(f, b"1\n0\t\xff"), "vocab.txt must be UTF-8"),
        (lambda f: write_tokens(f, b"0\n"), "vocab.txt must have 0 lines .* and at least one"),
        (lambda f: write_tokens(f, b"2\n0\ta"), "vocab.txt must have 2 lines after the first"),
        (lambda f: write_tokens(f, b"1\n0\t"), "vocab.txt must have a number, a tab and a word"),
        (lambda f: write_tokens(f, b"1\n0\ta b"), "a word without spaces"),
        (lambda f: write_tokens(f, b"1\n-1\ta"), "a number, a tab and a word"),
        (lambda f: write_ngrams(f, "1\n0\tnan\t1\t0"), "tfidf-model.txt must have a column, a fin"),
        (lambda f: write_ngrams(f, "1\n0\t1.5\t2\t0"), "tfidf-model.txt must have a column"),
        (lambda f: write_ngrams(f, "1\n0\t1.5\t1\t99"), "tfidf-model.txt must have a column"),
        (lambda f: write_ngrams(f, "1\n1\t1.5\t1\t0"), "tfidf-model.txt must have a column"),
        (lambda f: write_ngrams(f, "1\n0\t1.5\t1"), "tfidf-model.txt must have a column"),
        (lambda f: write_ngrams(f, "2\n" + LINE + LINE), "each n-gram and each column once"),
        (lambda f: write_ngrams(f, "2\n" + LINE + "0\t1.5\t1\t1\n"), "each n-gram and each col"),
    ],
)
def test_files_are_checked(folder, change, message):
    change(folder)
    with pytest.raises(ValueError, match=message) as info:
        load_pecos_vectorizer(folder)
    assert str(folder) in str(info.value)


@pytest.mark.parametrize("seed", range(200))
def test_changed_bytes_give_a_vectorizer_or_a_value_error(folder, seed):
    rng = np.random.default_rng(seed)
    files = each_file(folder)
    change_bytes(files[rng.integers(len(files))], rng)
    # Any other error, and any warning, fails the test.
    try:
        vectorizer = load_pecos_vectorizer(folder)
    except ValueError as error:
        message = str(error)
    else:
        message = str(folder)
        vectorizer.transform(TEXTS)
    assert str(folder) in message
