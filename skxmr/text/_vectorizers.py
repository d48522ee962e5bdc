"""Vectorizers with the parameters and results of scikit-learn's, several times faster."""

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer as SklearnCountVectorizer
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.feature_extraction.text import TfidfVectorizer as SklearnTfidfVectorizer
from sklearn.utils.sparsefuncs_fast import (
    inplace_csr_row_normalize_l1,
    inplace_csr_row_normalize_l2,
)

from skxmr._core.validation import N_JOBS
from skxmr.text._counting import TOKEN_PATTERN, CountingMixin

_NORMALIZE = {"l1": inplace_csr_row_normalize_l1, "l2": inplace_csr_row_normalize_l2}


class CountVectorizer(CountingMixin, SklearnCountVectorizer):
    """Convert texts to a matrix of term counts, with compiled code.

    Parameters, attributes, results, errors and warnings are those of
    `sklearn.feature_extraction.text.CountVectorizer`. Matrices are equal to the last bit. Texts are
    split and counted in compiled code, in several threads if `n_jobs` is set. With a custom
    `tokenizer`, `analyzer` or `token_pattern`, and in subclasses that override a method for these
    steps, scikit-learn's code counts the terms.

    Parameters
    ----------
    input : {"content", "filename", "file"}, default="content"
        Kind of the items: texts, names of files, or open files.
    encoding : str, default="utf-8"
        Encoding of files and bytes.
    decode_error : {"strict", "ignore", "replace"}, default="strict"
        Treatment of bytes that the encoding does not have.
    strip_accents : {"ascii", "unicode"}, callable or None, default=None
        How to remove accents; None keeps them.
    lowercase : bool, default=True
        Whether to convert texts to lowercase first.
    preprocessor : callable or None, default=None
        Function that replaces lowercasing and the removal of accents.
    tokenizer : callable or None, default=None
        Function that splits a text into words.
    stop_words : {"english"}, list or None, default=None
        Words to ignore.
    token_pattern : str or None, default=r"(?u)\\b\\w\\w+\\b"
        Regular expression of a word. The default ignores words of one character.
    ngram_range : tuple (min_n, max_n), default=(1, 1)
        Shortest and longest n-grams.
    analyzer : {"word", "char", "char_wb"} or callable, default="word"
        Unit of the n-grams: words, characters, or characters within words.
    max_df : float in [0, 1] or int, default=1.0
        Terms in more texts are ignored: a fraction of the texts, or a number.
    min_df : float in [0, 1] or int, default=1
        Terms in fewer texts are ignored: a fraction of the texts, or a number.
    max_features : int or None, default=None
        Maximum number of terms; the most frequent ones are kept.
    vocabulary : mapping, iterable or None, default=None
        Terms to count, instead of those of the texts.
    binary : bool, default=False
        Whether all counts greater than 0 are set to 1.
    dtype : dtype, default=np.int64
        Type of the values of the matrix.
    n_jobs : int or None, default=None
        Number of threads, as in joblib. Results do not depend on it.

    Attributes
    ----------
    vocabulary_ : dict
        Column of each term.
    fixed_vocabulary_ : bool
        Whether the user has given the vocabulary.

    See Also
    --------
    TfidfVectorizer : Weight terms by their rarity.

    Examples
    --------
    >>> from skxmr.text import CountVectorizer
    >>> vectorizer = CountVectorizer()
    >>> X = vectorizer.fit_transform(["A sparse matrix.", "A sparse, very sparse vector."])
    >>> vectorizer.get_feature_names_out()
    array(['matrix', 'sparse', 'vector', 'very'], dtype=object)
    >>> X.toarray()
    array([[1, 1, 0, 0],
           [0, 2, 1, 1]])
    """

    _parameter_constraints = {
        **SklearnCountVectorizer._parameter_constraints,
        "n_jobs": N_JOBS,
    }

    def __init__(
        self,
        *,
        input="content",
        encoding="utf-8",
        decode_error="strict",
        strip_accents=None,
        lowercase=True,
        preprocessor=None,
        tokenizer=None,
        stop_words=None,
        token_pattern=TOKEN_PATTERN,
        ngram_range=(1, 1),
        analyzer="word",
        max_df=1.0,
        min_df=1,
        max_features=None,
        vocabulary=None,
        binary=False,
        dtype=np.int64,
        n_jobs=None,
    ):
        super().__init__(
            input=input,
            encoding=encoding,
            decode_error=decode_error,
            strip_accents=strip_accents,
            lowercase=lowercase,
            preprocessor=preprocessor,
            tokenizer=tokenizer,
            stop_words=stop_words,
            token_pattern=token_pattern,
            ngram_range=ngram_range,
            analyzer=analyzer,
            max_df=max_df,
            min_df=min_df,
            max_features=max_features,
            vocabulary=vocabulary,
            binary=binary,
            dtype=dtype,
        )
        self.n_jobs = n_jobs


class TfidfVectorizer(CountingMixin, SklearnTfidfVectorizer):
    """Convert texts to a matrix of TF-IDF features, with compiled code.

    Parameters, attributes, results, errors and warnings are those of
    `sklearn.feature_extraction.text.TfidfVectorizer`. Matrices are equal to the last bit. Texts are
    split and counted in compiled code, in several threads if `n_jobs` is set. A list with a single
    text is converted without the validation of intermediate results, which takes scikit-learn a
    millisecond. With a custom `tokenizer`, `analyzer` or `token_pattern`, and in subclasses that
    override a method for these steps, scikit-learn's code counts the terms.

    Parameters
    ----------
    input : {"content", "filename", "file"}, default="content"
        Kind of the items: texts, names of files, or open files.
    encoding : str, default="utf-8"
        Encoding of files and bytes.
    decode_error : {"strict", "ignore", "replace"}, default="strict"
        Treatment of bytes that the encoding does not have.
    strip_accents : {"ascii", "unicode"}, callable or None, default=None
        How to remove accents; None keeps them.
    lowercase : bool, default=True
        Whether to convert texts to lowercase first.
    preprocessor : callable or None, default=None
        Function that replaces lowercasing and the removal of accents.
    tokenizer : callable or None, default=None
        Function that splits a text into words.
    analyzer : {"word", "char", "char_wb"} or callable, default="word"
        Unit of the n-grams: words, characters, or characters within words.
    stop_words : {"english"}, list or None, default=None
        Words to ignore.
    token_pattern : str or None, default=r"(?u)\\b\\w\\w+\\b"
        Regular expression of a word. The default ignores words of one character.
    ngram_range : tuple (min_n, max_n), default=(1, 1)
        Shortest and longest n-grams.
    max_df : float in [0, 1] or int, default=1.0
        Terms in more texts are ignored: a fraction of the texts, or a number.
    min_df : float in [0, 1] or int, default=1
        Terms in fewer texts are ignored: a fraction of the texts, or a number.
    max_features : int or None, default=None
        Maximum number of terms; the most frequent ones are kept.
    vocabulary : mapping, iterable or None, default=None
        Terms to count, instead of those of the texts.
    binary : bool, default=False
        Whether all counts greater than 0 are set to 1.
    dtype : dtype, default=np.float64
        Type of the values of the matrix.
    norm : {"l1", "l2"} or None, default="l2"
        Norm of each row, which is scaled to 1. None does not scale.
    use_idf : bool, default=True
        Whether terms are weighted by their rarity.
    smooth_idf : bool, default=True
        Whether each term is counted in one more text, so that no frequency is 0.
    sublinear_tf : bool, default=False
        Whether a count n is replaced by 1 + log(n).
    n_jobs : int or None, default=None
        Number of threads, as in joblib. Results do not depend on it.

    Attributes
    ----------
    vocabulary_ : dict
        Column of each term.
    fixed_vocabulary_ : bool
        Whether the user has given the vocabulary.
    idf_ : ndarray of shape (n_features,)
        Inverse document frequency of each term; only if `use_idf` is True.

    See Also
    --------
    CountVectorizer : Count terms without weights.

    Examples
    --------
    >>> from skxmr.text import TfidfVectorizer
    >>> vectorizer = TfidfVectorizer(sublinear_tf=True)
    >>> X = vectorizer.fit_transform(["A sparse matrix.", "A sparse, very sparse vector."])
    >>> vectorizer.get_feature_names_out()
    array(['matrix', 'sparse', 'vector', 'very'], dtype=object)
    >>> X.toarray().round(2)
    array([[0.81, 0.58, 0.  , 0.  ],
           [0.  , 0.65, 0.54, 0.54]])
    """

    _parameter_constraints = {
        **SklearnTfidfVectorizer._parameter_constraints,
        "n_jobs": N_JOBS,
    }

    def __init__(
        self,
        *,
        input="content",
        encoding="utf-8",
        decode_error="strict",
        strip_accents=None,
        lowercase=True,
        preprocessor=None,
        tokenizer=None,
        analyzer="word",
        stop_words=None,
        token_pattern=TOKEN_PATTERN,
        ngram_range=(1, 1),
        max_df=1.0,
        min_df=1,
        max_features=None,
        vocabulary=None,
        binary=False,
        dtype=np.float64,
        norm="l2",
        use_idf=True,
        smooth_idf=True,
        sublinear_tf=False,
        n_jobs=None,
    ):
        super().__init__(
            input=input,
            encoding=encoding,
            decode_error=decode_error,
            strip_accents=strip_accents,
            lowercase=lowercase,
            preprocessor=preprocessor,
            tokenizer=tokenizer,
            analyzer=analyzer,
            stop_words=stop_words,
            token_pattern=token_pattern,
            ngram_range=ngram_range,
            max_df=max_df,
            min_df=min_df,
            max_features=max_features,
            vocabulary=vocabulary,
            binary=binary,
            dtype=dtype,
            norm=norm,
            use_idf=use_idf,
            smooth_idf=smooth_idf,
            sublinear_tf=sublinear_tf,
        )
        self.n_jobs = n_jobs

    def transform(self, raw_documents):
        """Convert texts to the matrix of their TF-IDF features.

        Parameters
        ----------
        raw_documents : iterable
            Texts, or file names or files if `input` says so.

        Returns
        -------
        X : sparse CSR of shape (n_samples, n_features)
            Matrix with one row per text.
        """
        weights = self._read_weights()
        if weights is None:
            return super().transform(raw_documents)
        X = self._count_single(raw_documents)
        if X is None:
            X = SklearnCountVectorizer.transform(self, raw_documents)
        # The steps of `TfidfTransformer.transform`, without its validation of X.
        if weights.sublinear_tf:
            np.log(X.data, X.data)
            X.data += 1.0
        if weights.use_idf:
            X.data *= weights.idf_[X.indices]
        if weights.norm is not None:
            _NORMALIZE[weights.norm](X)
        return X

    def _read_weights(self):
        # The fitted `TfidfTransformer`; None if scikit-learn has to raise an error or convert X.
        tfidf = vars(self).get("_tfidf")
        is_usable = (
            type(tfidf) is TfidfTransformer
            and "vocabulary_" in vars(self)
            and self.dtype in (np.float32, np.float64)
            and getattr(tfidf, "n_features_in_", None) == len(self.vocabulary_)
            and tfidf.use_idf == hasattr(tfidf, "idf_")
        )
        return tfidf if is_usable else None
