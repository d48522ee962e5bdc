"""Terms of new texts that the vocabulary of a fitted vectorizer does not contain."""

from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skxmr.text._vectorizers import CountVectorizer

# Parameters that select the terms of a vocabulary, with the values that keep all.
KEEP_ALL = {"vocabulary": None, "max_features": None, "max_df": 1.0, "min_df": 1, "binary": False}


class UnknownTerms(NamedTuple):
    """Terms that a vectorizer ignores, because its vocabulary does not contain them.

    Attributes
    ----------
    counts : dict
        Number of occurrences of each unknown term, most frequent first.
    fraction : float
        Their part of the occurrences of all terms, from 0 to 1.
    """

    counts: dict
    fraction: float


def find_unknown_terms(vectorizer, raw_documents):
    """Find the terms of new texts that a fitted vectorizer ignores.

    The vocabulary of a model stays as it is when the model is updated. This function shows when it
    is time to fit again, with the vocabulary of the new texts.

    Parameters
    ----------
    vectorizer : CountVectorizer or TfidfVectorizer
        Fitted vectorizer, of skxmr or of scikit-learn.
    raw_documents : iterable of str
        Texts.

    Returns
    -------
    UnknownTerms
        `counts`, the number of occurrences of each unknown term, and their `fraction` of all.

    Raises
    ------
    ValueError
        If the texts contain no term.
    sklearn.exceptions.NotFittedError
        If the vectorizer is not fitted.

    Examples
    --------
    >>> from skxmr.text import TfidfVectorizer, find_unknown_terms
    >>> vectorizer = TfidfVectorizer().fit(["red apples", "ripe pears"])
    >>> find_unknown_terms(vectorizer, ["ripe mangoes", "red mangoes", "plums"])
    UnknownTerms(counts={'mangoes': 2, 'plums': 1}, fraction=0.6)
    """
    check_is_fitted(vectorizer, "vocabulary_")
    names = CountVectorizer._get_param_names()
    params = {name: value for name, value in vectorizer.get_params().items() if name in names}
    params["dtype"] = np.int64
    counter = CountVectorizer(**{**params, **KEEP_ALL})
    X = counter.fit_transform(raw_documents)
    totals = np.asarray(X.sum(axis=0)).ravel()
    found = {
        term: int(totals[column])
        for term, column in counter.vocabulary_.items()
        if term not in vectorizer.vocabulary_
    }
    counts = dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
    return UnknownTerms(counts, sum(counts.values()) / int(totals.sum()))
