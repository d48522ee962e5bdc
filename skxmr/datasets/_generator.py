"""Random multilabel data with the traits of extreme problems: a hierarchy and a long tail."""

from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state, check_scalar

from skxmr._core.arrays import as_public_csr

# Rows are made this many words at a time: large enough for numpy, small beside the output.
_WORDS_PER_BLOCK = 1_000_000
# Labels are drawn about so many at a time.
_DRAWS_PER_BLOCK = 8_000_000
# Size of the vocabulary of a super-topic, a topic and a label, and how the words of a row that
# are not background divide among them. Siblings share most of what tells them from others.
_VOCABULARY = (60, 20, 5)
_SHARE = (0.35, 0.45, 0.2)
# Where a further label of a row comes from: the topic of the first, its super-topic, anywhere.
_COMPANION = (0.6, 0.2, 0.2)


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

    The labels hang in a tree, super-topic > topic > label. A row draws its first label by
    popularity, which follows a Zipf-Mandelbrot law [1]_, and the others mostly from the topic or
    the super-topic of the first. Its features are words: some from the vocabularies of its
    labels, of their topics and super-topics, the rest from a Zipfian background that all rows
    share. The words become TF-IDF weights. Label numbers say nothing about the tree.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.

    n_features : int, default=2000
        Number of features. Vocabularies are drawn from all of them: the fewer there are, the more
        labels share a word and the harder is the problem.

    n_labels : int, default=500
        Number of labels.

    n_features_per_sample : float, default=30
        Mean number of stored features of a row, met within a few percent while it is small beside
        `n_features`. Rows vary in length.

    n_labels_per_sample : float, default=4
        Mean number of labels of a row. Rows have one label or more; the mean falls short of this
        where it is not small beside the labels of a topic.

    labels_per_topic : float, default=50
        Mean number of labels of a topic. There are about as many topics in a super-topic as there
        are super-topics.

    label_exponent : float, default=1.0
        Exponent of the popularity law; 0 makes all labels equally popular, more makes the head
        heavier and the tail longer.

    background : float, default=0.6
        Share of a row's words that has nothing to do with its labels, between 0 and 1. The larger
        it is, the harder are labels to tell apart; at 1 there is nothing to learn.

    return_parents : bool, default=False
        Whether the planted hierarchy is returned as well.

    random_state : int, RandomState instance or None, default=None
        Determines the data. Pass an int for the same data at every call.

    Returns
    -------
    X : sparse matrix of shape (n_samples, n_features)
        CSR, float32, rows of unit l2 norm, no negative values. Indices are 64 bits wide only if
        the number of stored values asks for it.

    Y : sparse matrix of shape (n_samples, n_labels)
        CSR indicator, int32 (wide enough to count in: ``Y.T @ Y`` would overflow in int8). Every
        label has a row, provided that ``n_samples * n_labels_per_sample >= n_labels`` (and the
        mean is met); otherwise popularity alone decides.

    parents : list of ndarray
        Only if `return_parents`: the super-topics' parents (all the root, 0), the super-topic of
        each topic and the topic of each label, the form that `LabelHierarchy.from_parents` takes.

    Raises
    ------
    TypeError
        If a parameter is of the wrong type.

    ValueError
        If a parameter is out of its range.

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
    >>> int(Y.sum(axis=0).min()) >= 1
    True
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
            raise ValueError(f"{name} == {value}, must be finite.")
    rng = check_random_state(random_state)

    tree = _LabelTree(n_labels, labels_per_topic, label_exponent, rng)
    row_starts, labels = _draw_labels(tree, n_samples, n_labels_per_sample, rng)
    words = _Words(tree, n_features, background, rng)
    X = _draw_features(words, row_starts, labels, n_samples, n_features_per_sample, rng)
    Y = as_public_csr(row_starts, labels, np.ones(len(labels), np.int32), (n_samples, n_labels))
    if not return_parents:
        return X, Y
    top = np.zeros(tree.n_super_topics, dtype=np.int32)
    return X, Y, [top, tree.super_topic_of_topic, tree.topic_of_label]


def _draw(cumulative, size, rng):
    """Draw `size` numbers by the law whose cumulative weights are given."""
    drawn = np.searchsorted(cumulative, rng.random_sample(size) * cumulative[-1], side="right")
    return np.minimum(drawn, len(cumulative) - 1)


def _contiguous_groups(n_items, n_groups, rng):
    """Cut ``range(n_items)`` into groups of uneven size, none empty: the bounds."""
    weights = rng.lognormal(0.0, 0.7, n_groups)
    sizes = 1 + rng.multinomial(n_items - n_groups, weights / weights.sum())
    return np.concatenate([[0], np.cumsum(sizes)])


class _LabelTree:
    """The planted hierarchy and the popularity of labels.

    Labels stand in an order in which a topic, and a super-topic, is a range of positions, so that
    drawing from one by popularity is a search between two cumulative weights.
    """

    def __init__(self, n_labels, labels_per_topic, label_exponent, rng):
        n_topics = max(1, round(n_labels / labels_per_topic))
        self.n_super_topics = max(1, round(np.sqrt(n_topics)))
        topic_bounds = _contiguous_groups(n_labels, n_topics, rng)
        super_bounds = _contiguous_groups(n_topics, self.n_super_topics, rng)
        self.super_topic_of_topic = np.repeat(
            np.arange(self.n_super_topics, dtype=np.int32), np.diff(super_bounds)
        )
        self.label_at = rng.permutation(n_labels).astype(np.int32)
        topic_at = np.repeat(np.arange(n_topics, dtype=np.int32), np.diff(topic_bounds))
        self.topic_of_label = np.empty(n_labels, dtype=np.int32)
        self.topic_of_label[self.label_at] = topic_at
        # Ranges that a companion of the label at a position can come from.
        super_at = self.super_topic_of_topic[topic_at]
        starts, stops = topic_bounds[super_bounds[:-1]], topic_bounds[super_bounds[1:]]
        self.ranges_at = [
            (topic_bounds[topic_at], topic_bounds[topic_at + 1]),
            (starts[super_at], stops[super_at]),
            (np.zeros(n_labels, np.int64), np.full(n_labels, n_labels)),
        ]
        rank = rng.permutation(n_labels)
        # Mandelbrot's shift flattens the head: no label takes more than a part of all rows.
        weight = (rank + max(2.0, n_labels / 5000)) ** -float(label_exponent)
        self.cumulative = np.concatenate([[0.0], np.cumsum(weight)])

    def draw(self, start, stop, rng):
        """Draw one position from each range, by popularity."""
        low = self.cumulative[start]
        point = low + rng.random_sample(len(start)) * (self.cumulative[stop] - low)
        position = np.searchsorted(self.cumulative, point, side="right") - 1
        return np.clip(position, start, stop - 1)


def _draw_labels(tree, n_samples, n_labels_per_sample, rng):
    """Draw the labels of all rows: offsets of the rows and the labels, sorted in each row."""
    rows_at_once = max(1, int(_DRAWS_PER_BLOCK / (2.0 * n_labels_per_sample)))
    firsts, companions, n_companions = [], [], 0
    for start in range(0, n_samples, rows_at_once):
        n_rows = min(rows_at_once, n_samples - start)
        # What rows up to here still want: a block that falls short is made up for by the next.
        n_so_far = start + n_rows
        n_wanted = round(n_so_far * n_labels_per_sample) - n_so_far - n_companions
        first, (row, label) = _draw_block(tree, n_rows, n_labels_per_sample, n_wanted, rng)
        firsts.append(first)
        companions.append((row + np.int32(start), label))
        n_companions += len(row)
    row = np.concatenate([np.arange(n_samples, dtype=np.int32), *(rows for rows, _ in companions)])
    label = np.concatenate([*firsts, *(labels for _, labels in companions)])
    del firsts, companions
    _give_each_label_a_row(label, tree.topic_of_label, rng)
    Y = sp.csr_array(
        (np.ones(len(row), np.int8), (row, label)), shape=(n_samples, len(tree.label_at))
    )
    Y.sort_indices()
    return Y.indptr, Y.indices


def _draw_block(tree, n_rows, n_labels_per_sample, n_wanted, rng):
    """Draw the first labels of some rows, and at most so many companions as (row, label)."""
    n_labels = len(tree.label_at)
    first = tree.draw(np.zeros(n_rows, np.int64), np.full(n_rows, n_labels), rng)
    # More companions than wanted, since a row may draw the same label again; the surplus goes.
    spread = rng.gamma(2.0, 0.5, n_rows)
    n_companions = rng.poisson(2.0 * (n_labels_per_sample - 1) * spread)
    row = np.repeat(np.arange(n_rows), n_companions)
    source = _draw(np.cumsum(_COMPANION), len(row), rng)
    companion = np.empty(len(row), dtype=np.int64)
    for number, (start, stop) in enumerate(tree.ranges_at):
        chosen = np.flatnonzero(source == number)
        position = first[row[chosen]]
        companion[chosen] = tree.draw(start[position], stop[position], rng)
    # One number for each (row, label) makes set operations plain ones.
    first = tree.label_at[first]
    drawn = np.setdiff1d(
        row * n_labels + tree.label_at[companion], np.arange(n_rows) * n_labels + first
    )
    row, label = np.divmod(rng.permutation(drawn)[:n_wanted], n_labels)
    return first, (row.astype(np.int32), label.astype(np.int32))


def _give_each_label_a_row(label, topic_of_label, rng):
    """Let labels without a row replace, in place, labels that have others; siblings first."""
    n_labels = len(topic_of_label)
    shuffled = np.arange(len(label), dtype=np.int32 if len(label) < 2**31 else np.int64)
    rng.shuffle(shuffled)
    # The first place of each label stays its own; of places written twice the last one counts.
    kept = np.full(n_labels, -1, dtype=shuffled.dtype)
    kept[label[shuffled[::-1]]] = np.arange(len(label) - 1, -1, -1, dtype=shuffled.dtype)
    missing = np.flatnonzero(kept < 0)
    spare = np.delete(shuffled, kept[kept >= 0])
    del shuffled
    if len(missing) > len(spare):
        return  # no tail and no head would be left, and some labels still have no row
    missing = missing[np.argsort(topic_of_label[missing], kind="stable")]
    topic_of_spare = topic_of_label[label[spare]]
    spare = spare[np.argsort(topic_of_spare, kind="stable")]
    # The i-th missing label of a topic takes the i-th spare place of the topic, if there is one.
    topic = topic_of_label[missing]
    in_topic = np.bincount(topic_of_spare, minlength=topic_of_label.max() + 1)
    place_in_topic = np.arange(len(missing)) - np.searchsorted(topic, topic)
    at_home = place_in_topic < in_topic[topic]
    place = (np.cumsum(in_topic) - in_topic)[topic] + place_in_topic
    free = np.ones(len(spare), dtype=bool)
    free[place[at_home]] = False
    left_over = rng.permutation(np.flatnonzero(free))
    place[~at_home] = left_over[: np.count_nonzero(~at_home)]
    label[spare[place]] = missing


class _Words:
    """What a row with given labels may say."""

    def __init__(self, tree, n_features, background, rng):
        self.n_features = n_features
        self.topic_of_label = tree.topic_of_label
        self.super_topic_of_topic = tree.super_topic_of_topic
        owners = tree.n_super_topics, len(tree.super_topic_of_topic), len(tree.label_at)
        self.vocabularies = [
            rng.randint(n_features, size=(n_owners, n_words), dtype=np.int32)
            for n_owners, n_words in zip(owners, _VOCABULARY, strict=True)
        ]
        # Inside a vocabulary, too, some words are said more than others.
        self.word_laws = [np.cumsum(1.0 / np.arange(1, n_words + 1)) for n_words in _VOCABULARY]
        self.source_law = np.cumsum([*((1.0 - background) * np.array(_SHARE)), background])
        self.background_law = np.cumsum((np.arange(n_features) + 2.7) ** -1.05)
        self.background_words = rng.permutation(n_features).astype(np.int32)

    def draw(self, label, rng):
        """Draw a word for each of the labels given."""
        source = _draw(self.source_law, len(label), rng)
        word = np.empty(len(label), dtype=np.int32)
        for number, (vocabulary, law) in enumerate(
            zip(self.vocabularies, self.word_laws, strict=True)
        ):
            chosen = np.flatnonzero(source == number)
            owner = label[chosen]
            if number < 2:
                owner = self.topic_of_label[owner]
            if number < 1:
                owner = self.super_topic_of_topic[owner]
            word[chosen] = vocabulary[owner, _draw(law, len(chosen), rng)]
        chosen = np.flatnonzero(source == len(self.vocabularies))
        word[chosen] = self.background_words[_draw(self.background_law, len(chosen), rng)]
        return word


def _count_words(words, row_starts, labels, n_words, rng):
    """Make the rows of a block: CSR of word counts."""
    n_rows = len(n_words)
    row = np.repeat(np.arange(n_rows, dtype=np.int32), n_words)
    n_row_labels = np.diff(row_starts)
    which = (rng.random_sample(len(row)) * n_row_labels[row]).astype(np.int64)
    word = words.draw(labels[row_starts[row] + which], rng)
    counts = sp.csr_array(
        (np.ones(len(row), np.float32), (row, word)), shape=(n_rows, words.n_features)
    )
    counts.sum_duplicates()
    return counts


def _draw_features(words, row_starts, labels, n_samples, n_features_per_sample, rng):
    """Draw the features of all rows as TF-IDF."""
    length = rng.gamma(4.0, 0.25, n_samples)  # mean 1
    # A row says some words twice: how many words make the wanted number of features is tried on
    # some rows, which are thrown away.
    n_tried = min(n_samples, 2000)
    factor = float(n_features_per_sample)
    for _ in range(4):
        tried = np.maximum(1, np.rint(length[:n_tried] * factor)).astype(np.int64)
        got = _count_words(words, row_starts[: n_tried + 1], labels, tried, rng).nnz / n_tried
        wanted = np.maximum(1, length[:n_tried] * n_features_per_sample).mean()
        # The limit is for rows that cannot get there: nearly all features wanted in each.
        factor = min(factor * wanted / got, 20.0 * n_features_per_sample)
    n_words = np.maximum(1, np.rint(length * factor)).astype(np.int64)

    total = np.cumsum(n_words)
    cuts = np.searchsorted(total, np.arange(_WORDS_PER_BLOCK, total[-1], _WORDS_PER_BLOCK))
    bounds = np.unique([0, *cuts, n_samples])
    indices, counts, row_sizes = [], [], []
    for start, stop in pairwise(bounds):
        block = _count_words(words, row_starts[start : stop + 1], labels, n_words[start:stop], rng)
        indices.append(block.indices.astype(np.int32, copy=False))
        counts.append(block.data)
        row_sizes.append(np.diff(block.indptr))
    indices, data = np.concatenate(indices), np.concatenate(counts)
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(row_sizes), dtype=np.int64)])
    del counts

    frequency = np.bincount(indices, minlength=words.n_features)
    idf = np.log((1 + n_samples) / (1 + frequency)) + 1
    np.log(data, out=data)
    data += 1
    data *= idf.astype(np.float32)[indices]
    X = as_public_csr(indptr, indices, data, (n_samples, words.n_features))
    return normalize(X, copy=False)
