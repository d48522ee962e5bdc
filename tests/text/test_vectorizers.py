"""`skxmr.text`: vectorizers whose results equal those of scikit-learn to the last bit."""

import copy
import io
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction import text as sklearn_text
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skxmr import XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.text import CountVectorizer, TfidfVectorizer
from skxmr.text import _counting as counting

PAIRS = [
    (CountVectorizer, sklearn_text.CountVectorizer),
    (TfidfVectorizer, sklearn_text.TfidfVectorizer),
]
# Letters whose lower case or decomposition is special: final sigma, dotted I, Kelvin, ligatures,
# combining marks, script capitals, letters outside the basic plane, digits of other scripts.
SPECIAL = (
    "\u03a3\u03c3\u03c2\u0130\u0131IK\u212a\ufb01\u0301\u0307\u210c\u00e9\u00c9\u00df\u1e9e\u01c5"
)
SPECIAL += "\U0001d400\U00010400\u0663\u00b2_\u200b\u3000\x1c\x85\ud800"
LETTERS = st.one_of(
    st.characters(), st.characters(categories=["Cs"]), st.sampled_from(SPECIAL + "aAbB1 \t\n.-")
)
TEXTS = st.lists(st.text(LETTERS, max_size=30), min_size=1, max_size=6)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "analyzer": st.sampled_from(["word", "char", "char_wb"]),
        "ngram_range": st.sampled_from([(1, 1), (1, 2), (2, 3), (1, 4), (3, 3)]),
        "lowercase": st.booleans(),
        "strip_accents": st.sampled_from([None, "ascii", "unicode", str.swapcase]),
        "stop_words": st.sampled_from([None, "english", ["the", "ab", "é1"]]),
        "preprocessor": st.sampled_from([None, str.upper]),
        "min_df": st.sampled_from([1, 2, 0.4]),
        "max_df": st.sampled_from([1.0, 2, 0.7]),
        "max_features": st.sampled_from([None, 3]),
        "binary": st.booleans(),
        "token_pattern": st.sampled_from([*counting.MIN_LETTERS, r"(?u)\w+"]),
        "n_jobs": st.sampled_from([None, 2]),
    },
)


def assert_same_matrix(got, expected):
    assert type(got) is type(expected)
    assert got.shape == expected.shape
    for name in ("data", "indices", "indptr"):
        a, b = getattr(got, name), getattr(expected, name)
        assert a.dtype == b.dtype, name
        np.testing.assert_array_equal(a.view(np.uint8), b.view(np.uint8), err_msg=name)


def run(make, texts, more):
    """Return matrices and vocabulary of a vectorizer, or the error, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            vectorizer = make()
            fitted = vectorizer.fit_transform(texts)
            result = (fitted, vectorizer.transform(more), vectorizer.transform(more[:1]))
            result += (list(vectorizer.vocabulary_.items()),)
        except Exception as error:
            result = (type(error), str(error))
    return result, [str(warning.message) for warning in caught]


@given(TEXTS, TEXTS, PARAMS, st.sampled_from([0, 1]))
@example(
    ["\u210c\u212a \u0130stanbul \u03a3\u0391\u03a3"],
    ["\u03a3\u0391\u03a3"],
    {"strip_accents": "unicode"},
    1,
)
@example(["a  b\n\nc"], ["\x1c \x85"], {"analyzer": "char", "ngram_range": (1, 3)}, 0)
@example(["a bc"], ["abc"], {"analyzer": "char_wb", "ngram_range": (2, 5)}, 0)
def test_results_equal_those_of_scikit_learn(texts, more, params, which):
    cls, reference = PAIRS[which]
    expected_params = {name: value for name, value in params.items() if name != "n_jobs"}
    got, warned = run(lambda: cls(**params), texts, more)
    expected, expected_warned = run(lambda: reference(**expected_params), texts, more)
    assert warned == expected_warned
    assert len(got) == len(expected)
    if len(got) == 2:
        assert got == expected
        return
    for a, b in zip(got[:3], expected[:3], strict=True):
        assert_same_matrix(a, b)
    assert got[3] == expected[3]
    assert [type(number) for _, number in got[3]] == [type(number) for _, number in expected[3]]


@given(
    TEXTS,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, "l1", "l2"]),
    st.sampled_from([np.float32, np.float64, np.int64]),
)
def test_weights_equal_those_of_scikit_learn(texts, use_idf, smooth, sublinear, norm, dtype):
    params = {
        "use_idf": use_idf,
        "smooth_idf": smooth,
        "sublinear_tf": sublinear,
        "norm": norm,
        "dtype": dtype,
    }
    texts = [*texts, "common words in all texts", "common words again"]
    got, warned = run(lambda: TfidfVectorizer(**params), texts, texts[::-1])
    expected, expected_warned = run(
        lambda: sklearn_text.TfidfVectorizer(**params), texts, texts[::-1]
    )
    assert warned == expected_warned
    for a, b in zip(got[:3], expected[:3], strict=True):
        assert_same_matrix(a, b)


@pytest.fixture(scope="module")
def texts():
    return load_api_docs().data[:3000]


@pytest.mark.parametrize("params", [{}, {"analyzer": "char_wb", "ngram_range": (2, 4)}])
def test_blocks_and_threads_do_not_change_the_result(texts, params, monkeypatch):
    vectorizer = CountVectorizer(**params)
    expected = vectorizer.fit_transform(texts)
    in_order = vectorizer.transform(texts)  # after a fit, the terms of a row are not sorted
    monkeypatch.setattr(counting, "BLOCK_TEXTS", 70)
    for n_jobs in (None, 3):
        vectorizer = CountVectorizer(n_jobs=n_jobs, **params)
        assert_same_matrix(vectorizer.fit_transform(iter(texts)), expected)
        assert_same_matrix(vectorizer.transform(text for text in texts), in_order)


def test_long_texts_are_split_as_by_scikit_learn():
    # Many different words, so that tables and buffers grow.
    rng = np.random.default_rng(0)
    words = [f"w{number:x}é" if number % 5 else f"W{number}" for number in range(60_000)]
    long_texts = [" ".join(rng.choice(words, 40_000)) for _ in range(3)]
    for params in ({}, {"ngram_range": (1, 3)}, {"analyzer": "char", "ngram_range": (4, 6)}):
        expected = sklearn_text.CountVectorizer(**params)
        vectorizer = CountVectorizer(**params)
        assert_same_matrix(vectorizer.fit_transform(long_texts), expected.fit_transform(long_texts))
        assert vectorizer.vocabulary_ == expected.vocabulary_


def test_documents_may_be_bytes_files_and_file_names(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("Grüße aus KÖLN".encode("latin-1"))
    cases = [
        ({}, ["Grüße aus KÖLN".encode()]),
        ({"encoding": "latin-1", "input": "filename"}, [str(path)]),
        ({"encoding": "latin-1", "input": "file"}, [io.BytesIO(path.read_bytes())]),
    ]
    for params, documents in cases:
        vectorizer = CountVectorizer(**params)
        vectorizer.fit(documents)
        assert list(vectorizer.get_feature_names_out()) == ["aus", "grüße", "köln"]


@pytest.mark.parametrize(("cls", "reference"), PAIRS)
@pytest.mark.parametrize("bad", [[np.nan], [b"\xff"], "text", [""]])
def test_invalid_documents_raise_the_errors_of_scikit_learn(cls, reference, bad):
    got, expected = run(cls, bad, bad), run(reference, bad, bad)
    assert got == expected
    assert len(got[0]) == 2


@pytest.mark.parametrize("cls", [CountVectorizer, TfidfVectorizer])
@pytest.mark.parametrize(
    ("bad", "shown"),
    [(None, "None of type NoneType"), (3, "3 of type int"), (["a"], "of type list")],
)
@pytest.mark.parametrize("params", [{}, {"strip_accents": "unicode"}, {"n_jobs": 2}])
def test_missing_texts_raise_an_error_that_says_what_to_do(cls, bad, shown, params):
    pattern = f"raw_documents must contain only strings; got .*{shown}.*empty string"
    with pytest.raises(ValueError, match=pattern):
        cls(**params).fit(["ok", bad])
    fitted = cls(**params).fit(["ok"])
    for texts in ([bad], ["ok", bad]):
        with pytest.raises(ValueError, match=pattern):
            fitted.transform(texts)


def test_columns_of_arrow_are_read():
    pa = pytest.importorskip("pyarrow")
    for column in (pa.array(["one two", "two"]), pa.chunked_array([["one two"], ["two"]])):
        vectorizer = CountVectorizer().fit(column)
        assert vectorizer.transform(column).toarray().tolist() == [[1, 1], [0, 1]]
    with pytest.raises(ValueError, match="got None of type NoneType"):
        vectorizer.transform(pa.array(["one", None]))


@pytest.mark.parametrize(("cls", "reference"), PAIRS)
def test_custom_functions_and_subclasses_are_used(cls, reference):
    texts = ["one two", "Two three-four"]
    for params in (
        {"tokenizer": str.split, "token_pattern": None},
        {"analyzer": str.split},
        {"token_pattern": r"\w+-\w+|\w+"},
        {"preprocessor": lambda text: text + " more"},
        {"vocabulary": {"two": 0, "three": 1}},
        {"vocabulary": ["three", "two"]},
    ):
        assert_same_matrix(
            cls(**params).fit_transform(texts), reference(**params).fit_transform(texts)
        )

    class Reversed(cls):
        def build_analyzer(self):
            return lambda text: [word[::-1] for word in text.split()]

    assert sorted(Reversed().fit(texts).vocabulary_) == ["eno", "owT", "owt", "ruof-eerht"]
    vectorizer = cls().fit(texts)
    vectorizer.build_tokenizer = lambda: str.split
    assert vectorizer.transform(["three-four two"]).nnz == 1  # "three-four" is unknown


def test_fitted_vectorizer_follows_changes_of_parameters_and_vocabulary():
    vectorizer = CountVectorizer().fit(["Two words", "more words"])
    assert vectorizer.transform(["WORDS"]).sum() == 1
    assert vectorizer.set_params(lowercase=False).transform(["WORDS"]).sum() == 0
    vectorizer.set_params(lowercase=True, stop_words=["words"])
    assert vectorizer.transform(["WORDS two"]).sum() == 1
    vectorizer.vocabulary_ = {"words": 0, "other": 1}
    assert vectorizer.set_params(stop_words=None).transform(["other"]).toarray().tolist() == [
        [0, 1]
    ]
    vectorizer.vocabulary_ = {3: 0, "other": 1}  # only scikit-learn's code can look up 3
    assert vectorizer.transform(["other"]).toarray().tolist() == [[0, 1]]


@pytest.mark.parametrize("cls", [CountVectorizer, TfidfVectorizer])
def test_vectorizers_are_cloned_copied_and_pickled(cls, texts):
    vectorizer = cls(ngram_range=(1, 2), n_jobs=2).fit(texts[:500])
    expected = vectorizer.transform(texts[:50])
    assert clone(vectorizer).get_params() == vectorizer.get_params()
    for copied in (
        pickle.loads(pickle.dumps(vectorizer)),
        copy.copy(vectorizer),
        copy.deepcopy(vectorizer),
    ):
        assert_same_matrix(copied.transform(texts[:50]), expected)
    with pytest.raises(NotFittedError):
        cls().transform(["text"])


def test_vectorizer_is_tuned_in_a_pipeline(texts):
    y = load_api_docs().target[:3000]
    pipeline = make_pipeline(TfidfVectorizer(dtype=np.float32), XRLinearClassifier(random_state=0))
    search = GridSearchCV(
        pipeline, {"tfidfvectorizer__sublinear_tf": [False, True]}, cv=2, refit=False
    )
    search.fit(texts, y)
    assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))


@pytest.mark.parametrize(("cls", "reference"), PAIRS)
@pytest.mark.parametrize("analyzer", ["word", "char", "char_wb"])
def test_ngram_range_may_exceed_64_bits(cls, reference, analyzer):
    params = {"analyzer": analyzer, "ngram_range": (2, 2**70)}
    texts = ["one two three", "two"]
    assert_same_matrix(cls(**params).fit_transform(texts), reference(**params).fit_transform(texts))


@pytest.mark.parametrize(("cls", "reference"), PAIRS)
def test_data_frames_are_refused(cls, reference):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"title": ["one text"], "body": ["two texts"]})
    for rows in (frame, frame[["title"]], frame.to_numpy()):
        with pytest.raises(ValueError, match=r"raw_documents must be one column.*frame\['text'\]"):
            cls().fit(rows)
        with pytest.raises(ValueError, match="with [12] columns"):
            cls().fit(["one"]).transform(rows)
        with pytest.raises(ValueError, match="with [12] columns"):
            cls(analyzer=str.split).fit_transform(rows)
    assert cls().fit(frame["title"]).vocabulary_ == reference().fit(frame["title"]).vocabulary_
