"""Random data like that of extreme multilabel problems: a label hierarchy and a long tail."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state, check_scalar

from skxmr._core.arrays import as_public_csr

# Number of words drawn at once: large enough for vectorized numpy, small compared with the output.
_WORDS_PER_BLOCK = 1_000_000
# Approximate number of labels drawn at once.
_DRAWS_PER_BLOCK = 8_000_000
# Number of words in the vocabulary of a super-topic, of a topic and of a label.
_VOCABULARY_SIZES = (60, 20, 5)
# Fraction of the words of a row that come from these vocabularies, without background words.
# Labels of the same topic share most of their words.
_VOCABULARY_FRACTIONS = (0.35, 0.45, 0.2)
# Probability that a companion (a further label of a row) comes from the topic of the first label,
# from its super-topic, or from all labels.
_COMPANION_PROBABILITIES = (0.6, 0.2, 0.2)
# Standard deviation of the logarithm of the sizes of topics and super-topics.
_GROUP_SIZE_SIGMA = 0.7
# Popularity of the background words: 1 / (rank + shift) ** exponent.
_BACKGROUND_SHIFT, _BACKGROUND_EXPONENT = 2.7, 1.05
# Number of rows and of iterations to find how many words give the requested number of features.
_N_TRIAL_ROWS, _N_TRIALS = 2000, 4


def make_extreme_multilabel(
    n_samples=1000,
    n_features=2000,
    n_labels=500,
    *,
    n_features_per_sample=30,
    n_labels_per_sample=4,
    labels_per_topic=50,
    label_exponent=1.0,
    background=0.6,
    return_parents=False,
    random_state=None,
):
    """Generate sparse multilabel data with a hierarchy of labels and a long tail.

    The labels form a tree of super-topics, topics and labels. The first label of a row is drawn by
    popularity, which follows a Zipf-Mandelbrot law [1]_. Most further labels of the row come from
    the topic or the super-topic of the first label. The features are words. Some are drawn from the
    vocabularies of the row's labels and their topics and super-topics. The others are background
    words that are common to all rows and follow Zipf's law. Feature values are TF-IDF weights. The
    label ids are random and contain no information about the tree.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.

    n_features : int, default=2000
        Number of features. All vocabularies are drawn from these features. With fewer features,
        more labels share a word and the problem is harder.

    n_labels : int, default=500
        Number of labels.

    n_features_per_sample : float, default=30
        Mean number of nonzero features per row. It is reached within a few percent if it is small
        compared with `n_features`. The number varies between rows.

    n_labels_per_sample : float, default=4
        Mean number of labels per row. Each row has at least one label. The actual mean is lower
        unless `n_labels_per_sample` is small compared with the number of labels per topic.

    labels_per_topic : float, default=50
        Mean number of labels per topic. The number of topics per super-topic is about equal to the
        number of super-topics.

    label_exponent : float, default=1.0
        Exponent of the popularity law. With 0, all labels have the same popularity. Larger values
        make frequent labels more frequent and the tail longer.

    background : float, default=0.6
        Fraction of the words of a row that are independent of its labels, between 0 and 1. Larger
        values make the labels harder to predict. With 1, the features contain no information.

    return_parents : bool, default=False
        Whether to return the label hierarchy.

    random_state : int, RandomState instance or None, default=None
        Seed of the generator. Pass an int to get the same data in each call.

    Returns
    -------
    X : sparse matrix of shape (n_samples, n_features)
        CSR, float32, nonnegative, rows with an l2 norm of 1. Indices have 64 bits only if the
        number of stored values requires it.

    Y : sparse matrix of shape (n_samples, n_labels)
        CSR indicator, int32, so that counts such as ``Y.T @ Y`` do not overflow. If
        ``n_samples * n_labels_per_sample >= n_labels``, each label has at least one row, provided
        that the mean number of labels is reached. Otherwise some labels have no row.

    parents : list of ndarray
        Parents per level, only if `return_parents` is True: the root (0) for each super-topic, the
        super-topic of each topic, and the topic of each label.
        `LabelHierarchy.from_parents` accepts this list.

    Raises
    ------
    TypeError
        If a parameter has a wrong type.

    ValueError
        If a parameter is out of range.

    References
    ----------
    .. [1] B. Mandelbrot, "An informational theory of the statistical structure of language",
       Communication Theory, 1953.

    Examples
    --------
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> X, Y = make_extreme_multilabel(n_samples=200, n_labels=50, random_state=0)
    >>> X.shape, Y.shape
    ((200, 2000), (200, 50))
    >>> Y.nnz / Y.shape[0]
    4.0
    >>> int(Y.sum(axis=0).min()), int(Y.sum(axis=0).max())
    (1, 87)
    """
    for name, value in [
        ("n_samples", n_samples),
        ("n_features", n_features),
        ("n_labels", n_labels),
    ]:
        check_scalar(value, name, (int, np.integer), min_val=1, max_val=np.iinfo(np.int32).max)
    real = (int, float, np.integer, np.floating)
    for name, value, lowest, highest in [
        ("n_features_per_sample", n_features_per_sample, 1, n_features),
        ("n_labels_per_sample", n_labels_per_sample, 1, n_labels),
        ("labels_per_topic", labels_per_topic, 1, None),
        ("label_exponent", label_exponent, 0, None),
        ("background", background, 0, 1),
    ]:
        check_scalar(value, name, real, min_val=lowest, max_val=highest)
        if not np.isfinite(value):
            raise ValueError(f"{name} must be finite; got {value}.")
    rng = check_random_state(random_state)

    tree = _LabelTree(n_labels, labels_per_topic, label_exponent, rng)
    indptr, labels = _draw_labels(tree, n_samples, n_labels_per_sample, rng)
    word_model = _WordModel(tree, n_features, background, rng)
    X = _draw_features(word_model, indptr, labels, n_samples, n_features_per_sample, rng)
    Y = as_public_csr(indptr, labels, np.ones(len(labels), np.int32), (n_samples, n_labels))
    if not return_parents:
        return X, Y
    parents_of_super_topics = np.zeros(tree.n_super_topics, dtype=np.int32)
    return X, Y, [parents_of_super_topics, tree.super_topic_of_topic, tree.topic_of_label]


def _draw(cumulative, size, rng):
    """Draw `size` indices from the distribution with these cumulative weights."""
    drawn = np.searchsorted(cumulative, rng.random_sample(size) * cumulative[-1], side="right")
    return np.minimum(drawn, len(cumulative) - 1)


def _draw_group_bounds(n_items, n_groups, rng):
    """Return the bounds of nonempty groups of uneven sizes that partition ``range(n_items)``."""
    weights = rng.lognormal(0.0, _GROUP_SIZE_SIGMA, n_groups)
    sizes = 1 + rng.multinomial(n_items - n_groups, weights / weights.sum())
    return np.concatenate([[0], np.cumsum(sizes)])


class _LabelTree:
    """The label hierarchy and the popularity of the labels.

    Labels are ordered so that each topic and each super-topic is a range of positions. To draw from
    a topic by popularity is then a binary search between two cumulative weights.
    """

    def __init__(self, n_labels, labels_per_topic, label_exponent, rng):
        n_topics = max(1, round(n_labels / labels_per_topic))
        self.n_super_topics = max(1, round(np.sqrt(n_topics)))
        topic_bounds = _draw_group_bounds(n_labels, n_topics, rng)
        super_bounds = _draw_group_bounds(n_topics, self.n_super_topics, rng)
        self.super_topic_of_topic = np.repeat(
            np.arange(self.n_super_topics, dtype=np.int32), np.diff(super_bounds)
        )
        self.label_at_position = rng.permutation(n_labels).astype(np.int32)
        topic_at_position = np.repeat(np.arange(n_topics, dtype=np.int32), np.diff(topic_bounds))
        self.topic_of_label = np.empty(n_labels, dtype=np.int32)
        self.topic_of_label[self.label_at_position] = topic_at_position
        super_topic_at_position = self.super_topic_of_topic[topic_at_position]
        starts, stops = topic_bounds[super_bounds[:-1]], topic_bounds[super_bounds[1:]]
        # For each source of companions: the range of positions from which a companion of the label
        # at a position is drawn.
        self.companion_ranges = [
            (topic_bounds[topic_at_position], topic_bounds[topic_at_position + 1]),
            (starts[super_topic_at_position], stops[super_topic_at_position]),
            (np.zeros(n_labels, np.int64), np.full(n_labels, n_labels)),
        ]
        rank = rng.permutation(n_labels)
        # Mandelbrot's shift limits the popularity of the most frequent labels.
        weight = (rank + max(2.0, n_labels / 5000)) ** -float(label_exponent)
        self.cumulative = np.concatenate([[0.0], np.cumsum(weight)])

    def draw(self, start, stop, rng):
        """Draw one position per range, by popularity."""
        low = self.cumulative[start]
        point = low + rng.random_sample(len(start)) * (self.cumulative[stop] - low)
        position = np.searchsorted(self.cumulative, point, side="right") - 1
        return np.clip(position, start, stop - 1)


def _draw_labels(tree, n_samples, n_labels_per_sample, rng):
    """Draw the labels of all rows; return indptr and the sorted labels of each row."""
    rows_per_block = max(1, int(_DRAWS_PER_BLOCK / (2.0 * n_labels_per_sample)))
    first_labels, companion_rows, companion_labels, n_companions = [], [], [], 0
    for start in range(0, n_samples, rows_per_block):
        n_rows = min(rows_per_block, n_samples - start)
        # Companions that are missing in all rows so far, including those of previous blocks.
        stop = start + n_rows
        n_missing = round(stop * n_labels_per_sample) - stop - n_companions
        block = _draw_label_block(tree, n_rows, n_labels_per_sample, n_missing, rng)
        first_labels.append(block.first_labels)
        companion_rows.append(block.companion_rows + np.int32(start))
        companion_labels.append(block.companion_labels)
        n_companions += len(block.companion_rows)
    rows = np.concatenate([np.arange(n_samples, dtype=np.int32), *companion_rows])
    labels = np.concatenate([*first_labels, *companion_labels])
    del first_labels, companion_rows, companion_labels
    _assign_rows_to_missing_labels(labels, tree.topic_of_label, rng)
    Y = sp.csr_array(
        (np.ones(len(rows), np.int8), (rows, labels)),
        shape=(n_samples, len(tree.label_at_position)),
    )
    Y.sort_indices()
    return Y.indptr, Y.indices


class _LabelBlock(NamedTuple):
    """Labels of consecutive rows; rows are counted from the start of the block."""

    first_labels: np.ndarray  # one per row
    companion_rows: np.ndarray  # int32
    companion_labels: np.ndarray  # int32


def _draw_label_block(tree, n_rows, n_labels_per_sample, max_companions, rng):
    """Draw the first labels of some rows, and at most `max_companions` companions."""
    n_labels = len(tree.label_at_position)
    first = tree.draw(np.zeros(n_rows, np.int64), np.full(n_rows, n_labels), rng)
    # Draw more companions than needed, because a row may draw a label twice. Drop the surplus.
    spread = rng.gamma(2.0, 0.5, n_rows)
    n_companions = rng.poisson(2.0 * (n_labels_per_sample - 1) * spread)
    rows = np.repeat(np.arange(n_rows), n_companions)
    source = _draw(np.cumsum(_COMPANION_PROBABILITIES), len(rows), rng)
    companion = np.empty(len(rows), dtype=np.int64)
    for number, (start, stop) in enumerate(tree.companion_ranges):
        selected = np.flatnonzero(source == number)
        position = first[rows[selected]]
        companion[selected] = tree.draw(start[position], stop[position], rng)
    # Row and label are combined into one key, so that duplicates can be removed as in a set.
    first = tree.label_at_position[first]
    keys = np.setdiff1d(
        rows * n_labels + tree.label_at_position[companion], np.arange(n_rows) * n_labels + first
    )
    rows, labels = np.divmod(rng.permutation(keys)[:max_companions], n_labels)
    return _LabelBlock(first, rows.astype(np.int32), labels.astype(np.int32))


def _assign_rows_to_missing_labels(labels, topic_of_label, rng):
    """Replace entries of `labels` in place, so that labels without a row get one.

    Only surplus entries are replaced, that is, entries whose label has another entry. Entries of
    the same topic are preferred.
    """
    n_labels = len(topic_of_label)
    shuffled = np.arange(len(labels), dtype=np.int32 if len(labels) < 2**31 else np.int64)
    rng.shuffle(shuffled)
    # Position in `shuffled` of the first entry of each label, or -1. The assignment runs backwards,
    # because the last of several assignments to an element is effective.
    first_entry = np.full(n_labels, -1, dtype=shuffled.dtype)
    first_entry[labels[shuffled[::-1]]] = np.arange(len(labels) - 1, -1, -1, dtype=shuffled.dtype)
    missing = np.flatnonzero(first_entry < 0)
    surplus = np.delete(shuffled, first_entry[first_entry >= 0])
    del shuffled
    if len(missing) > len(surplus):
        # All labels would have at most one row, and some labels would still have none.
        return
    missing = missing[np.argsort(topic_of_label[missing], kind="stable")]
    topic_of_surplus = topic_of_label[labels[surplus]]
    surplus = surplus[np.argsort(topic_of_surplus, kind="stable")]
    # The i-th missing label of a topic replaces the i-th surplus entry of the topic, if it exists.
    topic = topic_of_label[missing]
    n_surplus = np.bincount(topic_of_surplus, minlength=topic_of_label.max() + 1)
    index_in_topic = np.arange(len(missing)) - np.searchsorted(topic, topic)
    is_in_topic = index_in_topic < n_surplus[topic]
    target = (np.cumsum(n_surplus) - n_surplus)[topic] + index_in_topic
    is_free = np.ones(len(surplus), dtype=bool)
    is_free[target[is_in_topic]] = False
    free = rng.permutation(np.flatnonzero(is_free))
    target[~is_in_topic] = free[: np.count_nonzero(~is_in_topic)]
    labels[surplus[target]] = missing


class _WordModel:
    """Vocabularies, and the distributions from which the words of a row are drawn."""

    def __init__(self, tree, n_features, background, rng):
        self.n_features = n_features
        self.topic_of_label = tree.topic_of_label
        self.super_topic_of_topic = tree.super_topic_of_topic
        # Number of vocabularies: of super-topics, topics and labels.
        counts = tree.n_super_topics, len(tree.super_topic_of_topic), len(tree.label_at_position)
        self.vocabularies = [
            rng.randint(n_features, size=(count, n_words), dtype=np.int32)
            for count, n_words in zip(counts, _VOCABULARY_SIZES, strict=True)
        ]
        # Cumulative weights. Within a vocabulary, words follow Zipf's law.
        self.word_weights = [
            np.cumsum(1.0 / np.arange(1, n_words + 1)) for n_words in _VOCABULARY_SIZES
        ]
        fractions = (1.0 - background) * np.array(_VOCABULARY_FRACTIONS)
        self.source_weights = np.cumsum([*fractions, background])
        self.background_weights = np.cumsum(
            (np.arange(n_features) + _BACKGROUND_SHIFT) ** -_BACKGROUND_EXPONENT
        )
        self.background_words = rng.permutation(n_features).astype(np.int32)

    def draw(self, labels, rng):
        """Draw one word for each of the labels."""
        source = _draw(self.source_weights, len(labels), rng)
        words = np.empty(len(labels), dtype=np.int32)
        for number, (vocabulary, weights) in enumerate(
            zip(self.vocabularies, self.word_weights, strict=True)
        ):
            selected = np.flatnonzero(source == number)
            vocabulary_ids = labels[selected]
            if number < 2:
                vocabulary_ids = self.topic_of_label[vocabulary_ids]
            if number < 1:
                vocabulary_ids = self.super_topic_of_topic[vocabulary_ids]
            words[selected] = vocabulary[vocabulary_ids, _draw(weights, len(selected), rng)]
        selected = np.flatnonzero(source == len(self.vocabularies))
        drawn = _draw(self.background_weights, len(selected), rng)
        words[selected] = self.background_words[drawn]
        return words


def _draw_word_counts(word_model, label_indptr, labels, n_words, rng):
    """Draw `n_words` words for each row of a block; return word counts as CSR."""
    n_rows = len(n_words)
    rows = np.repeat(np.arange(n_rows, dtype=np.int32), n_words)
    n_row_labels = np.diff(label_indptr)
    label_index = (rng.random_sample(len(rows)) * n_row_labels[rows]).astype(np.int64)
    words = word_model.draw(labels[label_indptr[rows] + label_index], rng)
    counts = sp.csr_array(
        (np.ones(len(rows), np.float32), (rows, words)), shape=(n_rows, word_model.n_features)
    )
    counts.sum_duplicates()
    return counts


def _draw_features(word_model, label_indptr, labels, n_samples, n_features_per_sample, rng):
    """Draw the features of all rows as TF-IDF."""
    length = rng.gamma(4.0, 0.25, n_samples)  # mean 1
    # A row contains some words twice, so it needs more words than features. The factor is found by
    # trial with the first rows. The words of the trials are discarded.
    n_trial = min(n_samples, _N_TRIAL_ROWS)
    factor = float(n_features_per_sample)
    for _ in range(_N_TRIALS):
        n_words = np.maximum(1, np.rint(length[:n_trial] * factor)).astype(np.int64)
        counts = _draw_word_counts(word_model, label_indptr[: n_trial + 1], labels, n_words, rng)
        n_drawn = counts.nnz / n_trial
        n_requested = np.maximum(1, length[:n_trial] * n_features_per_sample).mean()
        # The limit is effective if rows cannot reach the number, because it is near n_features.
        factor = min(factor * n_requested / n_drawn, 20.0 * n_features_per_sample)
    n_words = np.maximum(1, np.rint(length * factor)).astype(np.int64)

    total = np.cumsum(n_words)
    cuts = np.searchsorted(total, np.arange(_WORDS_PER_BLOCK, total[-1], _WORDS_PER_BLOCK))
    bounds = np.unique([0, *cuts, n_samples])
    indices, counts, row_sizes = [], [], []
    for start, stop in pairwise(bounds):
        block = _draw_word_counts(
            word_model, label_indptr[start : stop + 1], labels, n_words[start:stop], rng
        )
        indices.append(block.indices.astype(np.int32, copy=False))
        counts.append(block.data)
        row_sizes.append(np.diff(block.indptr))
    indices, data = np.concatenate(indices), np.concatenate(counts)
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(row_sizes), dtype=np.int64)])
    del counts

    frequency = np.bincount(indices, minlength=word_model.n_features)
    idf = np.log((1 + n_samples) / (1 + frequency)) + 1
    np.log(data, out=data)
    data += 1
    data *= idf.astype(np.float32)[indices]
    X = as_public_csr(indptr, indices, data, (n_samples, word_model.n_features))
    return normalize(X, copy=False)
