"""PECOS's TF-IDF vectorizer of words: text files of the tokens, the n-grams and the weights."""

import math

import numpy as np
from sklearn.feature_extraction.text import TfidfTransformer

from skxmr.interop._files import check_file, check_folder, file_error, read_integer, read_json
from skxmr.text import TfidfVectorizer

WORD_TOKENIZER = 10  # number of the type in files
MAX_NGRAM = 100


def load_pecos_vectorizer(folder):
    """Load a TF-IDF `Vectorizer` of words that PECOS saved. PECOS need not be installed.

    PECOS splits texts at spaces only, and keeps upper case and punctuation; so does the vectorizer.
    Matrices are equal up to rounding. Because of the custom `token_pattern`, scikit-learn's code
    splits the texts, which is slower than the compiled code of other vectorizers.

    Parameters
    ----------
    folder : str or path-like
        Folder given to ``Vectorizer.save`` or ``Preprocessor.save``; that of a ``Text2Text`` model
        is ``preprocessor`` in the folder of the model.

    Returns
    -------
    vectorizer : skxmr.text.TfidfVectorizer
        The fitted vectorizer. It makes float32 matrices.

    Raises
    ------
    ValueError
        If a file is missing, damaged or of another kind; or if `TfidfVectorizer` has no equivalent:
        n-grams of characters, several vectorizers (``base_vect_configs``), and
        ``truncate_length``. PECOS saves vectorizers of scikit-learn as pickles, which are not
        loaded.

    See Also
    --------
    load_pecos_model : Load the classifier for these rows.

    Examples
    --------
    >>> from skxmr.interop import load_pecos_model, load_pecos_vectorizer
    >>> from skxmr.pipeline import make_pipeline
    >>> make_pipeline(
    ...     load_pecos_vectorizer("preprocessor"), load_pecos_model("model")
    ... )  # doctest: +SKIP
    """
    path = check_folder(folder, "a vectorizer of PECOS")
    if (path / "config.json").exists():
        _check_type(read_json(path / "config.json"), path / "config.json")
    if (path / "meta.json").exists():  # absent in old files, which have a single vectorizer
        file = path / "meta.json"
        n_vectorizers = read_integer(_check_type(read_json(file), file), "num_base_vect", file)
        if n_vectorizers != 1:
            raise file_error(file, "describe a single vectorizer", n_vectorizers)
        path = path / "0.base"
    file = path / "vectorizer" / "config.json"
    config = _check_config(_check_type(read_json(file), file), file)
    tokens = _read_tokens(path / "tokenizer")
    vocabulary, idf = _read_ngrams(path / "vectorizer" / "tfidf-model.txt", tokens)
    vectorizer = TfidfVectorizer(
        lowercase=False,
        token_pattern="[^ ]+",
        ngram_range=tuple(config["ngram_range"]),
        binary=config["binary"],
        norm=config["norm_p"],
        use_idf=config["use_idf"],
        sublinear_tf=config["sublinear_tf"],
        dtype=np.float32,
    )
    # The state after `fit`.
    vectorizer.fixed_vocabulary_ = False
    vectorizer.vocabulary_ = vocabulary
    vectorizer._tfidf = TfidfTransformer(
        norm=vectorizer.norm, use_idf=vectorizer.use_idf, sublinear_tf=vectorizer.sublinear_tf
    )
    vectorizer._tfidf.n_features_in_ = len(vocabulary)
    if vectorizer.use_idf:
        vectorizer._tfidf.idf_ = idf
    return vectorizer


def _check_type(values, file):
    if values.get("type") != "tfidf" or not isinstance(values.get("kwargs"), dict):
        raise file_error(
            file,
            "describe a vectorizer of the type 'tfidf' with 'kwargs'",
            repr(values.get("type")),
        )
    return values["kwargs"]


def _check_config(config, file):
    for name in ("binary", "use_idf", "sublinear_tf"):
        if not isinstance(config.get(name), bool):
            raise file_error(file, f"have true or false as {name!r}", repr(config.get(name)))
    if config.get("norm_p") not in ("l1", "l2"):
        raise file_error(file, "have 'l1' or 'l2' as 'norm_p'", repr(config.get("norm_p")))
    sizes = config.get("ngram_range")
    is_range = isinstance(sizes, list) and [type(size) for size in sizes] == [int, int]
    if not is_range or not 1 <= sizes[0] <= sizes[1] <= MAX_NGRAM:
        raise file_error(
            file, f"have two integers from 1 to {MAX_NGRAM} as 'ngram_range'", repr(sizes)
        )
    if read_integer(config, "max_length", file, low=-(2**31)) > 0:
        raise file_error(
            file,
            "have a 'max_length' of at most 0, because TfidfVectorizer reads whole texts",
            config["max_length"],
        )
    return config


def _read_lines(file):
    """Return the lines after the first, which contains their number."""
    check_file(file)
    try:
        first, *lines = file.read_bytes().decode().removesuffix("\n").split("\n")
        n_lines = _read_number(first)
    except ValueError as error:
        raise file_error(file, "be UTF-8 and begin with a number", error) from None
    if n_lines != len(lines) or not lines:
        raise file_error(
            file, f"have {n_lines} lines after the first, and at least one", len(lines)
        )
    return lines


def _read_number(text):
    # int() accepts more, such as "+1" and "1_0".
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise ValueError(f"{text[:99]!r} is not a number")
    return int(text)


def _read_tokens(folder):
    file = folder / "config.json"
    if read_integer(read_json(file), "token_type", file) != WORD_TOKENIZER:
        raise file_error(
            file,
            f"have {WORD_TOKENIZER} (words) as 'token_type', because TfidfVectorizer treats white "
            "space differently in n-grams of characters",
            read_json(file)["token_type"],
        )
    file = folder / "vocab.txt"
    tokens = {}
    for line in _read_lines(file):
        number, _, token = line.partition("\t")
        try:
            tokens[_read_number(number)] = token
        except ValueError:
            token = ""
        if not token or " " in token:
            raise file_error(
                file, "have a number, a tab and a word without spaces per line", repr(line[:99])
            )
    return tokens


def _read_ngrams(file, tokens):
    """Return the vocabulary as a dict, and the inverse document frequencies."""
    lines = _read_lines(file)
    vocabulary, idf = {}, np.full(len(lines), np.nan)
    for line in lines:
        try:
            column, weight, length, numbers = line.split("\t")
            words = [tokens[_read_number(number)] for number in numbers.split(" ")]
            column, weight = _read_number(column), float(weight)
            is_valid = _read_number(length) == len(words) and math.isfinite(weight)
        except (ValueError, KeyError):
            is_valid = False
        if not is_valid or column >= len(lines):
            raise file_error(
                file,
                "have a column, a finite weight, a length and that many numbers of tokens per line",
                repr(line[:99]),
            )
        vocabulary[" ".join(words)] = column
        idf[column] = weight
    if len(vocabulary) != len(lines) or np.isnan(idf).any():
        raise file_error(file, "have each n-gram and each column once", "repeated ones")
    return vocabulary, idf
