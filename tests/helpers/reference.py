"""Slow reference implementations of the kernels, written to be obviously right.

Tests compare the kernels with these functions:

| function                                                     | kernel                          |
|--------------------------------------------------------------|---------------------------------|
| `dense_weights`, `read_bitmap`                               | storage of a level by chunk     |
| `expand`, `beam_search`, `all_scores`                        | `scoring`, `margins`, SIMD      |
| `log_score`, `make_score_rules`                              | `_core.transforms`              |
| `primal_objective`, `dual_objective`, `solve_svm`            | `dual_solver`, SIMD             |
| `best_uniform_duals`                                         | `solver_state`                  |
"""

from functools import lru_cache

import numpy as np

# ---- Storage


@lru_cache(maxsize=16)
def dense_weights(level):
    """Return the weights (n_features, n_children) and intercepts of a LevelModel, in float64."""
    a = level.arrays
    W = np.zeros((level.n_features, a["child_indptr"][-1]))
    at = entry = 0
    for parent in range(len(a["child_indptr"]) - 1):
        for feature in chunk_features(level, parent):
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


def chunk_features(level, parent):
    """Return the sorted features of one chunk of a LevelModel."""
    summaries, words = level.arrays["summaries"], level.arrays["words"]
    first_word = sum(int(entry).bit_count() for entry in summaries[:parent].ravel())
    return read_bitmap(summaries[parent], words[first_word:])


def read_bitmap(summary, words):
    """Return the features of a two-level bitmap, read one bit at a time."""
    features = []
    at = 0
    for word in range(64 * len(summary)):
        if int(summary[word // 64]) >> (word % 64) & 1:
            features += [64 * word + bit for bit in range(64) if int(words[at]) >> bit & 1]
            at += 1
    return features


# ---- Scoring


def expand(level, x, parents, keep, best_first=False, combine=None):
    """Return the best `keep` children of the parents of one dense row.

    Parents and children are (id, score, margin of the path). 0 keeps all children.
    `combine(parent_score, margin, id)` returns the score of a child; None uses the rule of the
    default parameters. Children are sorted by id, or best first.
    """
    if combine is None:

        def combine(parent_score, margin, child_id):
            return parent_score + log_score("l3-hinge", margin)

    W, intercepts = dense_weights(level)
    indptr, child_ids = level.arrays["child_indptr"], level.arrays["child_ids"]
    scored = []
    for parent, parent_score, parent_margin in parents:
        children = slice(indptr[parent], indptr[parent + 1])
        margins = x @ W[:, children] + intercepts[children]
        if len(margins) == 1 and level.only_children_inherit:
            margins = [None]
        for margin, child_id in zip(margins, child_ids[children].tolist(), strict=True):
            score = combine(parent_score, margin, child_id)
            scored.append((child_id, score, parent_margin + (margin or 0.0)))
    scored.sort(key=lambda entry: (-entry[1], -entry[2], entry[0]))
    scored = scored[:keep] if keep else scored
    return scored if best_first else sorted(scored)


def log_score(transform, margin):
    """Return the logarithm of a margin's score, or the margin itself for "identity".

    The margin None is that of a child that has the score of its parent.
    """
    if margin is None:
        return 0.0
    transform = transform.removeprefix("log-")
    if transform == "identity":
        return margin
    if transform == "sigmoid":
        return -np.logaddexp(0.0, -margin)
    power = int(transform[1])  # "l3-hinge"
    return -(max(0.0, 1.0 - margin) ** power)


def make_score_rules(model, offsets=None):
    """Return the `combine` function of `expand` for each level, by the parameters of a model.

    `offsets` has one number per label, which is added to the scores of the labels.
    """
    transforms = model.score_transform
    transforms = [transforms] if isinstance(transforms, str) else list(transforms)
    n_levels = len(model._model.levels)
    transforms = ([transforms[0]] * n_levels + transforms)[-n_levels:]
    offsets = np.zeros(len(model.classes_)) if offsets is None else offsets

    def make_rule(level):
        is_last = level == n_levels - 1

        path_weight = get_path_weight(model, transforms)
        weight = 1.0 if is_last else path_weight

        def combine(parent_score, margin, child_id):
            if margin is None and is_last:  # the only label of a cluster
                parent_score /= path_weight
            score = parent_score + weight * log_score(transforms[level], margin)
            return score + (offsets[child_id] if is_last else 0.0)

        return combine

    return [make_rule(level) for level in range(n_levels)]


def get_path_weight(model, transforms):
    """Return the weight of the levels of clusters in the score of a label."""
    if model.path_weight != "auto":
        return model.path_weight
    has_hinges_only = all("hinge" in transform for transform in transforms)
    return model.path_weight_ if has_hinges_only else 1.0


def beam_search(model, x, beam_width, keep=0, offsets=None):
    """Return the best labels [(label, score)] of one dense row, best first."""
    beam = [(0, 0.0, 0.0)]
    *cluster_rules, label_rule = make_score_rules(model, offsets)
    for level, rule in zip(model._model.matcher.levels, cluster_rules, strict=True):
        beam = expand(level, x, beam, beam_width, combine=rule)
    best = expand(model._model.ranker.level, x, beam, keep, best_first=True, combine=label_rule)
    return [(label, score) for label, score, _ in best]


def all_scores(model, x, offsets=None):
    """Return {label: score} of all labels of one dense row, without a beam."""
    return dict(beam_search(model, x, beam_width=0, offsets=offsets))


# ---- Training


def primal_objective(X, y, w, b, C):
    """Return 1/2 |w|^2 + 1/2 b^2 + C sum max(0, 1 - y f)^2 with f = X w + b."""
    slack = np.maximum(0.0, 1.0 - y * (X @ w + b))
    return 0.5 * (w @ w + b * b) + C * (slack @ slack)


def dual_objective(X, y, a, C):
    """Return the dual objective at a >= 0. It is at most the minimum of the primal objective."""
    w, b = X.T @ (a * y), (a * y).sum()
    return a.sum() - 0.5 * (w @ w + b * b) - (a @ a) / (4.0 * C)


def solve_svm(X, y, C, tol, seed=0):
    """Return (w, b) of the squared hinge, by dual coordinate descent without shrinking."""
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
    """Return the best dual objective with equal duals on positives and equal ones on negatives."""
    Z = np.column_stack([X, np.ones(len(X))]).astype(np.float64)
    P, N = Z[y > 0], Z[y < 0]
    p, n = P.sum(axis=0), -N.sum(axis=0)
    Q = np.array([[p @ p + len(P) * 0.5 / C, p @ n], [p @ n, n @ n + len(N) * 0.5 / C]])
    counts = np.array([len(P), len(N)])
    a = np.linalg.solve(Q, counts)
    assert np.all(a >= 0)
    return counts @ a - 0.5 * a @ Q @ a
