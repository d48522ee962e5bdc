"""Counting of terms in compiled code, with the results of scikit-learn's vectorizers."""

from numbers import Integral
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer as SklearnCountVectorizer

from skxmr._core.arrays import as_public_csr, offsets_of
from skxmr._core.node_scores import join_rows
from skxmr._core.texts import raise_not_a_string, read_text_column
from skxmr._core.threads import count_workers, run_tasks
from skxmr.text._ngrams import CHAR, CHAR_WB, WORD, count_terms, sort_rows
from skxmr.text._term_table import TermTable

ANALYZERS = {"word": WORD, "char": CHAR, "char_wb": CHAR_WB}
TOKEN_PATTERN = r"(?u)\b\w\w+\b"
# Length of the shortest words of the patterns that are compiled. With another pattern,
# scikit-learn's code splits the texts.
MIN_LETTERS = {TOKEN_PATTERN: 2, r"(?u)\b\w+\b": 1}
# Longer n-grams do not exist. The compiled code needs lengths of at most 64 bits.
MAX_LENGTH = 2**31 - 1
# Methods whose results the compiled code reproduces. If a subclass changes one, it is not used.
REPRODUCED = (
    "build_analyzer",
    "build_preprocessor",
    "build_tokenizer",
    "decode",
    "get_stop_words",
    "_char_ngrams",
    "_char_wb_ngrams",
    "_word_ngrams",
)
# Parameters that decide how texts are split, besides the stop words. `itemgetter` reads them in a
# third of the time of ten attributes.
_read_params = itemgetter(
    *("analyzer", "ngram_range", "lowercase", "strip_accents", "preprocessor", "tokenizer"),
    *("token_pattern", "input", "encoding", "decode_error"),
)
# Attributes that are computed again when they are needed.
CACHED_ATTRIBUTES = ("_counting_rule", "_new_terms", "_term_table")
# Texts of one task: enough that starting it costs nothing, few enough for a stream of texts.
BLOCK_TEXTS, BLOCK_LETTERS = 8192, 2**22


class CountingRule(NamedTuple):
    """Rule by which the compiled code splits texts.

    Attributes
    ----------
    params : tuple
        Parameters of the vectorizer that the rule depends on.
    analyzer : int
        WORD, CHAR or CHAR_WB.
    min_n, max_n : int
        Range of the lengths of n-grams.
    min_letters : int
        Length of the shortest words.
    lowercase : bool
        Whether ASCII texts are lowercased by the compiled code.
    stops : TermTable
        Words that are left out.
    decode, preprocess : callable
        Methods of the vectorizer.
    prepares_all : bool
        Whether `preprocess` is also called for ASCII texts.
    only_lowercases : bool
        Whether `preprocess` does nothing else than lowercase texts if `lowercase` is True.
    """

    params: tuple
    analyzer: int
    min_n: int
    max_n: int
    min_letters: int
    lowercase: bool
    stops: TermTable
    decode: object
    preprocess: object
    prepares_all: bool
    only_lowercases: bool

    def prepare(self, documents):
        """Return the texts of some documents, and for each whether it is to be lowercased.

        Python lowercases texts that are not ASCII, and removes their accents.
        """
        lowercase = bytearray([self.lowercase]) * len(documents)
        texts = list(documents)
        for at, text in enumerate(texts):
            if type(text) is str and text.isascii() and not self.prepares_all:
                continue
            if self.only_lowercases and type(text) is str:
                texts[at] = text.lower() if self.lowercase else text
                lowercase[at] = False
                continue
            text = self.decode(text)
            if not isinstance(text, str) and not self.prepares_all:
                raise_not_a_string(text, "raw_documents")
            if type(text) is not str or self.prepares_all or not text.isascii():
                text = self.preprocess(text)
                lowercase[at] = False
                if not isinstance(text, str):
                    raise_not_a_string(text, "raw_documents")
            texts[at] = text
        return texts, lowercase

    def count(self, table, documents, grows=False):
        """Count the terms of a table in some documents; see `count_terms`."""
        texts, lowercase = self.prepare(documents)
        return count_terms(
            table,
            texts,
            lowercase,
            self.analyzer,
            self.min_n,
            self.max_n,
            self.min_letters,
            self.stops,
            grows,
        )


class NewTerms(NamedTuple):
    """The terms of a fit, before their selection.

    Attributes
    ----------
    vocabulary : dict
        Vocabulary to fill.
    table : TermTable
        All terms, in the order of their first occurrence.
    numbers : ndarray of shape (n_terms,), int32
        Number of each term in sorted order.
    """

    vocabulary: dict
    table: TermTable
    numbers: np.ndarray


class CountingMixin:
    """Replacement of the loop over documents of scikit-learn's `CountVectorizer`."""

    def __getstate__(self):
        state = super().__getstate__()
        for name in CACHED_ATTRIBUTES:
            state.pop(name, None)
        return state

    def _count_vocab(self, raw_documents, fixed_vocab):
        _refuse_frames(raw_documents)
        raw_documents = read_text_column(raw_documents)
        rule = self._find_rule()
        table = self._find_table() if fixed_vocab and rule is not None else None
        if rule is None or (fixed_vocab and table is None):
            return super()._count_vocab(raw_documents, fixed_vocab)
        self.build_analyzer()  # checks the parameters, and warns about inconsistent stop words
        if fixed_vocab:
            counted = _count_known(rule, table, raw_documents, self.n_jobs)
            return self.vocabulary_, self._make_matrix(*counted, len(self.vocabulary_))
        table, counted = _count_all(rule, raw_documents, self.n_jobs)
        if not len(table):
            super()._count_vocab((), fixed_vocab=False)  # raises the error
        # scikit-learn numbers the terms by their first occurrence, and sorts them afterwards. Here
        # they get their final numbers at once.
        order = table.order()
        numbers_of_terms = np.empty(len(order), dtype=np.int32)
        numbers_of_terms[order] = np.arange(len(order), dtype=np.int32)
        # `_limit_features` fills the dict, because most n-grams may be too rare: of 589,386 pairs
        # of words in WordNet, three quarters occur once. Their strings take half of the time.
        vocabulary = {}
        self._new_terms = NewTerms(vocabulary, table, numbers_of_terms)
        indptr, numbers, counts = counted
        return vocabulary, self._make_matrix(indptr, numbers_of_terms[numbers], counts, len(order))

    def _make_matrix(self, indptr, numbers, counts, n_terms):
        # A CSR matrix with the dtypes of scikit-learn.
        index = np.int32 if len(numbers) <= np.iinfo(np.int32).max else np.int64
        indptr, numbers = indptr.astype(index), numbers.astype(index, copy=False)
        shape = (len(indptr) - 1, n_terms)
        return as_public_csr(indptr, numbers, counts.astype(self.dtype), shape)

    def _sort_features(self, X, vocabulary):
        # As in scikit-learn, but `_count_vocab` has sorted the terms.
        if self._find_new_terms(vocabulary) is None:
            return super()._sort_features(X, vocabulary)
        if vocabulary:  # `_limit_features` has filled it: this is the last step of a fit
            del self._new_terms
        return X

    def _limit_features(self, X, vocabulary, high=None, low=None, limit=None):
        # As in scikit-learn, but with one pass over the entries and one over the terms.
        new_terms = self._find_new_terms(vocabulary)
        if new_terms is None:
            return super()._limit_features(X, vocabulary, high, low, limit)
        if limit is not None:  # the terms were sorted before: this is the last step of a fit
            del self._new_terms
        is_kept = _select_terms(X, high, low, limit)
        if not is_kept.any():
            return super()._limit_features(X, vocabulary, high, low, limit)  # raises the error
        new = np.cumsum(is_kept) - 1
        stays = is_kept[new_terms.numbers]
        numbers = new[new_terms.numbers[stays]]
        wanted = stays.view(np.uint8)
        # scikit-learn leaves numbers of numpy if this is the last step.
        numbers = numbers.tolist() if limit is None else numbers
        vocabulary.update(zip(new_terms.table.terms(wanted), numbers, strict=True))
        # The first `transform` would otherwise make this table from the dict.
        table = new_terms.table.select(wanted, np.asarray(numbers, dtype=np.int32))
        self._term_table = _make_known_terms(vocabulary, table)
        if is_kept.all():
            return X
        stays = is_kept[X.indices]
        indptr = offsets_of(stays)[X.indptr]
        indices = new.astype(X.indices.dtype)[X.indices[stays]]
        shape = (X.shape[0], len(vocabulary))
        return as_public_csr(indptr.astype(X.indptr.dtype), indices, X.data[stays], shape)

    def _find_new_terms(self, vocabulary):
        # The `NewTerms` of a vocabulary of `_count_vocab`, or None.
        new_terms = vars(self).get("_new_terms")
        is_found = new_terms is not None and new_terms.vocabulary is vocabulary
        return new_terms if is_found else None

    def _count_single(self, raw_documents):
        # The matrix of a list with a single document, or None if scikit-learn must count it.
        if type(raw_documents) not in (list, tuple) or len(raw_documents) != 1:
            return None
        rule = self._find_rule()
        table = self._find_table() if rule is not None else None
        if table is None:
            return None
        indptr, numbers, counts = rule.count(table, raw_documents)
        values = np.ones_like(counts) if self.binary else counts
        # A copy of an empty matrix: the constructor and copy.copy take a microsecond longer.
        empty = self._term_table[2]
        X = type(empty).__new__(type(empty))
        vars(X).update(vars(empty))
        X.data, X.indices = values.astype(self.dtype), numbers
        X.indptr = indptr.astype(np.int32)
        return X

    def _find_rule(self):
        # The rule for the present parameters; None if scikit-learn must split the texts.
        if not vars(self).keys().isdisjoint(REPRODUCED):
            return None
        stop_words = self.stop_words
        if not isinstance(stop_words, (str, type(None))):
            stop_words = tuple(stop_words)
        params = (stop_words, *_read_params(vars(self)))
        rule = vars(self).get("_counting_rule")
        if rule is None or rule.params != params:
            rule = self._make_rule(params)
            self._counting_rule = rule
        return rule

    def _make_rule(self, params):
        if (
            not isinstance(self.analyzer, str)
            or self.analyzer not in ANALYZERS
            or self.tokenizer is not None
            or not isinstance(self.token_pattern, str)
            or self.token_pattern not in MIN_LETTERS
            or not _is_range(self.ngram_range)
            or any(
                getattr(type(self), name) is not getattr(SklearnCountVectorizer, name)
                for name in REPRODUCED
            )
        ):
            return None
        preprocess = self.build_preprocessor()
        stop_words = self.get_stop_words() if self.analyzer == "word" else None
        stops = {word: 0 for word in stop_words or () if isinstance(word, str)}
        min_n, max_n = self.ngram_range
        prepares_all = (
            self.preprocessor is not None or callable(self.strip_accents) or self.input != "content"
        )
        return CountingRule(
            params,
            ANALYZERS[self.analyzer],
            min(int(min_n), MAX_LENGTH),
            min(int(max_n), MAX_LENGTH),
            MIN_LETTERS[self.token_pattern],
            bool(self.lowercase),
            TermTable(stops),
            self.decode,
            preprocess,
            prepares_all,
            not prepares_all and self.strip_accents is None,
        )

    def _find_table(self):
        # The table of `vocabulary_`; None if its terms or numbers are of other types.
        vocabulary = self.vocabulary_
        found = vars(self).get("_term_table")
        if found is not None and found[0] is vocabulary and len(found[1]) == len(vocabulary):
            return found[1]
        try:
            table = TermTable(vocabulary)
        except (AttributeError, TypeError, OverflowError):
            return None
        self._term_table = _make_known_terms(vocabulary, table)
        return table


def _make_known_terms(vocabulary, table):
    # A vocabulary, its `TermTable`, and an empty matrix for `_count_single`.
    return vocabulary, table, as_public_csr([0, 0], [], [], (1, len(table)))


def _select_terms(X, high, low, limit):
    # Terms with a document frequency from `low` to `high`; the `limit` most frequent of these.
    frequencies = np.bincount(X.indices, minlength=X.shape[1])
    is_kept = np.ones(len(frequencies), dtype=bool)
    if high is not None:
        is_kept &= frequencies <= high
    if low is not None:
        is_kept &= frequencies >= low
    if limit is not None and is_kept.sum() > limit:
        # The same sort as in scikit-learn: it decides which of equally frequent terms remain.
        counts = np.asarray(X.sum(axis=0)).ravel()
        candidates = np.flatnonzero(is_kept)
        is_kept[:] = False
        is_kept[candidates[(-counts[candidates]).argsort()[:limit]]] = True
    return is_kept


def _refuse_frames(raw_documents):
    # scikit-learn reads the names of the columns as texts.
    if hasattr(raw_documents, "columns") or getattr(raw_documents, "ndim", 1) == 2:
        raise ValueError(
            "raw_documents must be one column of texts; got a "
            f"{type(raw_documents).__name__} with {np.shape(raw_documents)[1]} columns. Pass one "
            "column, for example frame['text'] instead of frame[['text']]."
        )


def _is_range(ngram_range):
    # Whether these are lengths of n-grams that the compiled code knows.
    return (
        isinstance(ngram_range, (tuple, list))
        and len(ngram_range) == 2
        and all(isinstance(n, Integral) and n >= 1 for n in ngram_range)
    )


def _count_known(rule, table, raw_documents, n_jobs):
    # CSR arrays of the terms of a table.
    def count(documents):
        return rule.count(table, documents)

    blocks = [_EMPTY]
    for group in _read_groups(raw_documents, count_workers(n_jobs)):
        blocks += run_tasks(count, [(documents,) for documents in group], n_jobs, threads_only=True)
    return join_rows(blocks)


def _count_all(rule, raw_documents, n_jobs):
    # The table of all terms, in the order in which they first occur, and CSR arrays. With several
    # threads, each block of documents has its own table; all are merged in order.
    n_workers = count_workers(n_jobs)
    table, blocks = TermTable(), [_EMPTY]

    def count(documents):
        own = TermTable()
        return own, rule.count(own, documents, grows=True)

    for group in _read_groups(raw_documents, n_workers):
        if n_workers == 1:
            blocks += [rule.count(table, documents, grows=True) for documents in group]
            continue
        tasks = [(documents,) for documents in group]
        for own, (indptr, numbers, counts) in run_tasks(count, tasks, n_jobs, threads_only=True):
            numbers = table.merge(own)[numbers]
            sort_rows(indptr, numbers, counts)
            blocks.append((indptr, numbers, counts))
    return table, join_rows(blocks)


_EMPTY = (np.zeros(1, dtype=np.int64), *np.empty((2, 0), dtype=np.int32))


def _read_groups(raw_documents, n_blocks):
    # Yield lists of up to `n_blocks` lists of documents. Documents are read once.
    documents = iter(raw_documents)
    while True:
        group = []
        for _ in range(n_blocks):
            block = _read_block(documents)
            if not block:
                break
            group.append(block)
        if not group:
            return
        yield group


def _read_block(documents):
    block, n_letters = [], 0
    for document in documents:
        block.append(document)
        n_letters += len(document) if isinstance(document, (str, bytes)) else 0
        if len(block) == BLOCK_TEXTS or n_letters >= BLOCK_LETTERS:
            break
    return block
