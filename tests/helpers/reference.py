"""Slow and obviously right versions of what the kernels do, for tests to compare with."""

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=16)
def dense_weights(level):
    """Weights (n_features, n_children) and intercepts of a LevelModel, in float64."""
    a = level.arrays
    W = np.zeros((level.n_features, a["child_indptr"][-1]))
    at = entry = 0
    for parent in range(len(a["child_indptr"]) - 1):
        for feature in features_of(level, parent):
            for _ in range(a["entry_counts"][at]):
                child = a["child_indptr"][parent] + a["entry_children"][entry]
                assert child < a["child_indptr"][parent + 1]
                W[feature, child] = np.float32(a["entry_weights"][entry])
                if "weight_scales" in a:
                    W[feature, child] = np.float32(W[feature, child]) * a["weight_scales"][parent]
                entry += 1
            at += 1
    assert at == len(a["entry_counts"])
    assert entry == len(a["entry_weights"])
    return W, a["intercepts"].astype(np.float64)


def features_of(level, parent):
    """Sorted features of a chunk of a LevelModel."""
    summaries, words = level.arrays["summaries"], level.arrays["words"]
    at = sum(int(entry).bit_count() for entry in summaries[:parent].ravel())
    return set_bits(summaries[parent], words[at:])


def set_bits(summary, words):
    """Features of a bitmap of two levels, read bit by bit."""
    features = []
    at = 0
    for word in range(64 * len(summary)):
        if int(summary[word // 64]) >> (word % 64) & 1:
            features += [64 * word + bit for bit in range(64) if int(words[at]) >> bit & 1]
            at += 1
    return features


def expand(level, x, parents, keep, best_first=False, joined=None):
    """Best `keep` of [(id, score)] for one dense row and parents [(id, score)].

    `joined(parent_score, margin, id)` is a child's score; that of the default parameters if None.
    """
    joined = joined or (lambda score, margin, name: score + log_value("l3-hinge", margin))
    W, intercepts = dense_weights(level)
    indptr, names = level.arrays["child_indptr"], level.arrays["child_ids"]
    scored = []
    for parent, score in parents:
        children = slice(indptr[parent], indptr[parent + 1])
        margins = x @ W[:, children] + intercepts[children]
        for margin, name in zip(margins, names[children].tolist(), strict=True):
            scored.append((name, joined(score, margin, name)))
    scored.sort(key=lambda pair: (-pair[1], pair[0]))
    scored = scored[:keep] if keep else scored
    return scored if best_first else sorted(scored)


def log_value(name, margin):
    """Logarithm of a transformed margin; the margin itself for "identity"."""
    name = name.removeprefix("log-")
    if name == "identity":
        return margin
    if name == "sigmoid":
        return -np.logaddexp(0.0, -margin)
    return -(max(0.0, 1.0 - margin) ** int(name[1]))


def join_rules(model, offsets=None):
    """For each level what `expand` takes as `joined`, by the parameters of a fitted model.

    `offsets` are added to the scores of labels, by label.
    """
    names = model.score_transform
    names = [names] if isinstance(names, str) else list(names)
    n_levels = len(model._model.levels)
    names = ([names[0]] * n_levels + names)[-n_levels:]
    offsets = np.zeros(len(model.classes_)) if offsets is None else offsets

    def rule(level):
        last = level == n_levels - 1

        def joined(parent_score, margin, name):
            score = parent_score + log_value(names[level], margin)
            return score + (offsets[name] if last else 0.0)

        return joined

    return [rule(level) for level in range(n_levels)]


def beam_search(model, x, beam_width, keep=0, offsets=None):
    """Best labels [(label, score)] of one dense row, best first."""
    beam = [(0, 0.0)]
    *above, own = join_rules(model, offsets)
    for level, joined in zip(model._model.matcher.levels, above, strict=True):
        beam = expand(level, x, beam, beam_width, joined=joined)
    return expand(model._model.ranker.level, x, beam, keep, best_first=True, joined=own)


def all_scores(model, x, offsets=None):
    """Score of every label of one dense row: every path of the tree is followed."""
    return dict(beam_search(model, x, beam_width=0, offsets=offsets))


def primal_objective(X, y, w, b, C):
    """Value of 1/2 |w|^2 + 1/2 b^2 + C sum max(0, 1 - y f)^2."""
    slack = np.maximum(0.0, 1.0 - y * (X @ w + b))
    return 0.5 * (w @ w + b * b) + C * (slack @ slack)


def dual_objective(X, y, a, C):
    """Value of the dual at a >= 0; never above the primal's optimum."""
    w, b = X.T @ (a * y), (a * y).sum()
    return a.sum() - 0.5 * (w @ w + b * b) - (a @ a) / (4.0 * C)


def solve_svm(X, y, C, tol, seed=0):
    """Dual coordinate descent, one variable at a time, without shrinking: weights and intercept."""
    rng = np.random.default_rng(seed)
    Z = np.column_stack([X, np.ones(len(X))]).astype(np.float64) * y[:, None]
    a, w = np.zeros(len(Z)), np.zeros(Z.shape[1])
    diagonal = (Z**2).sum(axis=1) + 0.5 / C
    spread = np.inf
    while spread > tol:
        low = high = 0.0
        for i in rng.permutation(len(Z)):
            gradient = Z[i] @ w - 1 + a[i] * 0.5 / C
            if a[i] > 0 or gradient < 0:
                low, high = min(low, gradient), max(high, gradient)
            new = max(a[i] - gradient / diagonal[i], 0.0)
            w += (new - a[i]) * Z[i]
            a[i] = new
        spread = high - low
    return w[:-1], w[-1]


def best_uniform_duals(X, y, C):
    """Dual objective for the best duals that are equal on positives and equal on negatives."""
    Z = np.column_stack([X, np.ones(len(X))]).astype(np.float64)
    P, N = Z[y > 0], Z[y < 0]
    p, n = P.sum(axis=0), -N.sum(axis=0)
    Q = np.array([[p @ p + len(P) * 0.5 / C, p @ n], [p @ n, n @ n + len(N) * 0.5 / C]])
    counts = np.array([len(P), len(N)])
    a = np.linalg.solve(Q, counts)
    assert np.all(a >= 0)
    return counts @ a - 0.5 * a @ Q @ a
