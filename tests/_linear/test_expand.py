"""`LevelModel.expand`: scores of the children of given clusters."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from helpers.reference import dense_weights
from skxmr._core.node_scores import NodeScores
from skxmr._core.row_search import RowScores, SparseRow
from skxmr._core.rows import as_rows
from skxmr._core.score_rule import ScoreParams
from skxmr._core.topk import best_of_rows
from skxmr._linear import LevelModel, search_row
from skxmr._linear.chunk import pack_features

L3_HINGE = ScoreParams().make_rule((False,)).transforms[0]
DENSITY = st.sampled_from([0.0, 0.02, 0.3, 0.9])


@st.composite
def random_level(draw):
    """Draw a LevelModel with random chunks, some of them empty, and random rows and parents."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n_parents = draw(st.integers(1, 6))
    # Feature bitmaps of one or several 64-bit words; 5000 features need two summary entries.
    n_features = draw(st.sampled_from([1, 7, 40, 64, 65, 300, 5000]))
    # Clusters of up to 16 children can have dense weights.
    max_children = draw(st.sampled_from([3, 16, 17, 40]))
    child_dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    child_indptr = np.concatenate(([0], np.cumsum(rng.integers(1, max_children + 1, n_parents))))
    features, counts, children, weights = [], [], [], []
    for parent in range(n_parents):
        width = child_indptr[parent + 1] - child_indptr[parent]
        W = rng.normal(size=(n_features, width)) * (rng.random((n_features, width)) < draw(DENSITY))
        used = np.flatnonzero(W.any(axis=1))
        features.append(used)
        for feature in used:
            nonzero = np.flatnonzero(W[feature])
            counts.append(len(nonzero))
            children.append(nonzero)
            weights.append(W[feature, nonzero])
    bitmaps = [pack_features(used.astype(np.int32), n_features) for used in features]
    summaries, words = zip(*bitmaps, strict=True)
    n_children = child_indptr[-1]
    level = LevelModel(
        {
            "child_indptr": child_indptr.astype(np.int64),
            "child_ids": rng.permutation(n_children).astype(np.int32),
            "intercepts": rng.normal(size=n_children).astype(np.float32),
            "summaries": np.stack(summaries),
            "words": np.concatenate([*words, np.zeros(1, dtype=np.uint64)]),
            "entry_counts": np.array(counts, dtype=child_dtype),
            "entry_children": np.concatenate([*children, []]).astype(child_dtype),
            "entry_weights": np.concatenate([*weights, []]).astype(np.float32),
        },
        n_features,
        1,
        0,
        only_children_inherit=draw(st.booleans()),
    )
    n_rows = draw(st.integers(0, 5))
    X = rng.normal(size=(n_rows, n_features)) * (rng.random((n_rows, n_features)) < draw(DENSITY))
    chosen = rng.random((n_rows, n_parents)) < 0.5
    # Few different margins, to have ties.
    parent_scores = rng.integers(-3, 0, size=chosen.shape)
    parent_margins = rng.integers(-1, 2, size=chosen.shape)
    return level, X.astype(np.float32), chosen, parent_scores, parent_margins


@given(case=random_level(), keep=st.integers(0, 12), best_first=st.booleans())
def test_expand_scores_the_children_of_given_parents(case, keep, best_first):
    level, X, chosen, parent_scores, parent_margins = case
    parents = sp.csr_array(chosen)
    parents.sort_indices()
    scores, path_margins = (
        values[chosen].astype(np.float32) for values in (parent_scores, parent_margins)
    )
    indptr, indices = parents.indptr.astype(np.int64), parents.indices.astype(np.int32)
    beam = NodeScores(*best_of_rows(indptr, indices, scores, path_margins, 0, True))
    indptr, ids, values, margins = level.expand(as_rows(X), beam, keep, L3_HINGE, best_first)
    W, intercepts = dense_weights(level)
    child_indptr, names = level.arrays["child_indptr"], level.arrays["child_ids"]
    assert indptr[0] == 0
    for row in range(len(X)):
        expected, expected_margins = {}, {}
        for at in range(parents.indptr[row], parents.indptr[row + 1]):
            parent = parents.indices[at]
            for child in range(child_indptr[parent], child_indptr[parent + 1]):
                margin = X[row] @ W[:, child] + intercepts[child]
                score, path_margin = -(max(0.0, 1.0 - margin) ** 3), margin
                n_children = child_indptr[parent + 1] - child_indptr[parent]
                if n_children == 1 and level.only_children_inherit:
                    score = path_margin = 0.0
                expected[int(names[child])] = scores[at] + score
                expected_margins[int(names[child])] = path_margins[at] + path_margin
        here = slice(indptr[row], indptr[row + 1])
        best = sorted(expected.values(), reverse=True)
        best = best[:keep] if keep else best
        np.testing.assert_allclose(np.sort(values[here])[::-1], best, rtol=1e-4, atol=1e-4)
        assert len(set(ids[here])) == len(best)
        got = [expected[name] for name in ids[here]]
        np.testing.assert_allclose(values[here], got, rtol=1e-4, atol=1e-4)
        got_margins = [expected_margins[name] for name in ids[here]]
        np.testing.assert_allclose(margins[here], got_margins, rtol=1e-4, atol=1e-4)
        order = np.argsort(ids[here])
        if best_first:
            order = np.lexsort((ids[here], -margins[here], -values[here]))
        np.testing.assert_array_equal(order, np.arange(len(best)))
        one = search_row(
            [level],
            [L3_HINGE],
            SparseRow(*as_rows(X[[row]])[1:3]),
            RowScores.from_arrays(*beam.block(row, row + 1)[1:]),
            [keep],
            best_first,
        )
        np.testing.assert_array_equal(one.ids, ids[here])
        np.testing.assert_array_equal(one.scores, values[here])
        np.testing.assert_array_equal(one.margins, margins[here])
