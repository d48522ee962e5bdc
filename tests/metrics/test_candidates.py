"""The forms of targets and scores that the metrics accept, and the errors for all others."""

import numpy as np
import pytest
import scipy.sparse as sp

from helpers.reference_metrics import PLAIN_METRICS, PROPENSITY_METRICS, Y_SCORE, Y_TRUE
from skxmr.metrics import label_propensities, ndcg_at_k, precision_at_k, recall_at_k

FORMATS = ["csr", "csc", "coo", "lil", "dok", "dia", "bsr"]
NAN = Y_SCORE.copy()
NAN[1, 2] = np.nan
IDS, VALUES = np.array([[0, 1], [1, 2], [3, 4]]), np.ones((3, 2))


def test_sparse_scores_rank_only_stored_positive_labels():
    y_true = sp.csr_array([[1, 1, 0, 0]])
    nothing = sp.csr_array((1, 4))
    assert precision_at_k(y_true, nothing, 2) == 0
    one = sp.csr_array([[0, 0, 0, 0.1]])
    assert precision_at_k(y_true, one, 4) == 0
    assert precision_at_k(y_true, one.toarray(), 4) == 0.5  # in a dense array, zero is a score
    stored_zero = sp.csr_array((np.zeros(1), np.zeros(1, int), [0, 1]), shape=(1, 4))
    assert stored_zero.nnz == 1
    assert precision_at_k(y_true, stored_zero, 1) == 0


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("fmt", FORMATS)
def test_metrics_accept_any_sparse_format(fmt, kind):
    make = getattr(sp, f"{fmt}_{kind}")
    expected = ndcg_at_k(Y_TRUE, Y_SCORE, 3)
    for dtype in (bool, np.uint8, np.int64, np.float32):
        y_true = make(sp.csr_array(Y_TRUE.astype(dtype)))
        assert ndcg_at_k(y_true, make(sp.csr_array(Y_SCORE)), 3) == expected
    propensities = label_propensities(Y_TRUE)
    assert np.array_equal(label_propensities(make(sp.csr_array(Y_TRUE))), propensities)


def store_irregularly(dense, rng, fmt, zeros):
    """Store `dense` with unsorted, duplicate entries and, if `zeros`, explicit zeros.

    The arrays are read-only with 64-bit indices. Scores are halved, because duplicates are summed.
    Returns the matrix and its arrays.
    """
    row, col = np.nonzero(dense)
    values = dense[row, col] if dense.dtype == int else dense[row, col] / 2
    zero_row, zero_col = np.nonzero(dense == 0) if zeros else np.empty((2, 0), dtype=int)
    row, col = np.concatenate([row, row, zero_row]), np.concatenate([col, col, zero_col])
    values = np.concatenate([values, values, np.zeros(len(zero_row), values.dtype)])
    shuffled = rng.permutation(len(row))
    if fmt == "coo":
        values, row, col = values[shuffled], row[shuffled], col[shuffled]
        out = sp.coo_array((values, (row, col)), shape=dense.shape)
        arrays = (out.data, *out.coords)
    else:
        order = shuffled[np.argsort(row[shuffled], kind="stable")]
        indptr = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=len(dense)))))
        out = sp.csr_array((values[order], col[order], indptr), shape=dense.shape)
        out.indices, out.indptr = out.indices.astype(np.int64), out.indptr.astype(np.int64)
        arrays = (out.data, out.indices, out.indptr)
    for array in arrays:
        array.setflags(write=False)
    return out, arrays


@pytest.mark.parametrize("zeros", [True, False])
@pytest.mark.parametrize("fmt", ["csr", "coo"])
def test_metrics_accept_unsorted_duplicate_and_zero_entries_and_read_only_arrays(fmt, zeros):
    rng = np.random.default_rng(0)
    y_true, true_arrays = store_irregularly(Y_TRUE, rng, fmt, zeros)
    y_score, score_arrays = store_irregularly(Y_SCORE, rng, fmt, zeros)
    arrays = true_arrays + score_arrays
    before = [array.copy() for array in arrays]
    for metric in PLAIN_METRICS.values():
        for k in (1, 2, 3):
            assert metric(y_true, y_score, k) == metric(Y_TRUE, Y_SCORE, k)
    assert np.array_equal(label_propensities(y_true), label_propensities(Y_TRUE))
    assert all(map(np.array_equal, arrays, before))


@pytest.mark.parametrize("zeros", [True, False])
def test_metrics_ignore_outdated_canonical_format_flags(zeros):
    rng = np.random.default_rng(0)
    y_true, y_score = (store_irregularly(y, rng, "csr", zeros)[0] for y in (Y_TRUE, Y_SCORE))
    for matrix in (y_true, y_score):
        matrix.has_sorted_indices = matrix.has_canonical_format = True
    for metric in PLAIN_METRICS.values():
        assert metric(y_true, y_score, 3) == metric(Y_TRUE, Y_SCORE, 3)


def test_metrics_ignore_stored_zeros_of_y_true():
    all_entries = (Y_TRUE.ravel(), np.tile(np.arange(5), 3), np.arange(4) * 5)
    y_true = sp.csr_array(all_entries, shape=(3, 5))
    assert y_true.has_canonical_format
    assert y_true.nnz == 15
    assert recall_at_k(y_true, Y_SCORE, 3) == recall_at_k(Y_TRUE, Y_SCORE, 3)


def test_metrics_accept_lists_and_integer_scores():
    y_score = [[3, 2, 1, 0, 0], [2, 2, 0, 2, 1], [0, 1, 2, 3, 4]]
    assert recall_at_k(Y_TRUE.tolist(), y_score, 3) == recall_at_k(Y_TRUE, Y_SCORE, 3)
    assert precision_at_k(Y_TRUE.astype(object), sp.csr_array(Y_TRUE * 2), 1) == 2 / 3
    pair = ([[0, 2], [3, -1], [1, 2]], [[1, 2], [1, 3], [1, 1]])
    assert recall_at_k(Y_TRUE, pair, np.int32(2)) == pytest.approx(2 / 3)
    large = np.array([[2**24, 0, 2**24 + 1, 0, 0]])  # equal as float32
    assert precision_at_k([[0, 0, 1, 0, 0]], large, 1) == 1
    unsigned = (np.array([[0], [3], [1]], dtype=np.uint64), np.ones((3, 1), dtype=np.float16))
    assert recall_at_k(Y_TRUE, unsigned, 1) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("y_true", "y_score", "k", "error", "message"),
    [
        (Y_TRUE, Y_SCORE, 0, ValueError, "k must be a positive integer; got 0"),
        (Y_TRUE, Y_SCORE, 1.0, TypeError, "k must be a positive integer; got 1.0"),
        (Y_TRUE, Y_SCORE, True, TypeError, "k must be a positive integer; got True"),
        (Y_TRUE, Y_SCORE[:, :4], 1, ValueError, r"y_score must have the shape of y_true, \(3, 5\)"),
        (Y_TRUE, sp.csr_array(Y_SCORE[:2]), 1, ValueError, r"got shape \(2, 5\)"),
        (Y_TRUE, Y_SCORE[0], 1, ValueError, r"got shape \(5,\)"),
        (Y_TRUE, NAN, 1, ValueError, "y_score must contain no NaN"),
        (Y_TRUE, sp.csr_array(NAN), 1, ValueError, "y_score must contain no NaN"),
        (Y_TRUE, sp.csr_array(-Y_SCORE), 1, ValueError, "nonnegative if it is sparse; got -0.9"),
        (Y_TRUE, Y_SCORE.astype(str), 1, TypeError, "y_score must contain real numbers"),
        (Y_TRUE, sp.csr_array(Y_SCORE * 1j), 1, TypeError, "y_score must contain real numbers"),
        (Y_TRUE * 2, Y_SCORE, 1, ValueError, "y_true must be an indicator of 0 and 1; .* 2"),
        (sp.csr_array(-Y_TRUE), Y_SCORE, 1, ValueError, "of 0 and 1; got the value -1"),
        (sp.coo_array(Y_TRUE * 0.5), Y_SCORE, 1, ValueError, "of 0 and 1; got the value 0.5"),
        (NAN > NAN, Y_SCORE[:, 1:], 1, ValueError, "y_score must have the shape of y_true,"),
        (np.where(Y_TRUE, np.nan, 0), Y_SCORE, 1, ValueError, "y_true must have no missing value"),
        (Y_TRUE[0], Y_SCORE, 1, ValueError, r"y_true must be a nonempty .*; got shape \(5,\)"),
        (sp.csr_array((0, 5)), Y_SCORE[:0], 1, ValueError, r"got shape \(0, 5\)"),
        (Y_TRUE.astype(str), Y_SCORE, 1, ValueError, "y_true must be an indicator .* dtype <U21"),
        (Y_TRUE, IDS, 1, ValueError, r"got shape \(3, 2\). Pass the whole result of predict_topk"),
        ((IDS, VALUES), Y_TRUE, 1, ValueError, "Exchange y_true and y_score"),
        ([["a"], ["a", "b"], []], Y_SCORE, 1, ValueError, "Pass the result of suggest"),
        (Y_TRUE, (IDS, VALUES), 3, ValueError, "k must be at most 2, .*; got 3"),
        (Y_TRUE, (IDS,), 1, ValueError, "tuple of two arrays .*; got a tuple of 1 items"),
        (Y_TRUE, (IDS, VALUES[:, :1]), 1, ValueError, r"got shapes \(3, 2\) and \(3, 1\)"),
        (Y_TRUE, (IDS[:2], VALUES[:2]), 1, ValueError, r"of shape \(3, n_columns\)"),
        (Y_TRUE, (VALUES, VALUES), 1, TypeError, r"y_score\[0\] must contain integer label ids"),
        (Y_TRUE, (IDS, IDS.astype(str)), 1, TypeError, r"y_score\[1\] must contain real numbers"),
        (Y_TRUE, (IDS, VALUES * np.nan), 1, ValueError, r"y_score\[1\] must contain no NaN"),
        (Y_TRUE, (IDS + 1, VALUES), 1, ValueError, "from 0 to 4, or -1; got 5"),
        (Y_TRUE, (IDS - 2, VALUES), 1, ValueError, "from 0 to 4, or -1; got -2"),
        (Y_TRUE, (IDS * [1, 0], VALUES), 1, ValueError, "got 0 twice in row 0"),
    ],
)  # fmt: skip
def test_metrics_raise_for_invalid_arguments(y_true, y_score, k, error, message):
    for metric in PLAIN_METRICS.values():
        with pytest.raises(error, match=message):
            metric(y_true, y_score, k)
    for metric in PROPENSITY_METRICS.values():
        with pytest.raises(error, match=message):
            metric(y_true, y_score, k, propensities=np.ones(5))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix, sp.coo_array])
def test_metrics_warn_if_y_score_is_a_prediction(dtype, container):
    if dtype == np.float32 and container is np.asarray:
        pytest.skip("a dense array of 0.0 and 1.0 may be the probabilities of a decision tree")
    predicted = container(np.array([[1, 0, 0, 1, 0]] * 3, dtype=dtype))
    for metric in PLAIN_METRICS.values():
        with pytest.warns(UserWarning, match="Pass the result of predict_topk or predict_proba"):
            metric(Y_TRUE, predicted, 2)


def test_metrics_do_not_warn_about_scores():
    ones = np.ones((3, 1))
    for scores in (Y_SCORE, sp.csr_array(Y_SCORE), Y_TRUE * 2, Y_TRUE - 1, np.round(Y_SCORE)):
        precision_at_k(Y_TRUE, scores, 1)
    precision_at_k(Y_TRUE, (IDS[:, :1], ones), 1)
    precision_at_k(Y_TRUE, sp.csr_array((3, 5), dtype=int), 1)


def test_metrics_accept_scores_in_a_sparse_frame():
    pd = pytest.importorskip("pandas")
    scores = sp.csr_matrix(Y_SCORE)
    frame = pd.DataFrame.sparse.from_spmatrix(scores)
    # Dense scores would rank labels with the score 0.
    assert precision_at_k(Y_TRUE, frame, 4) == precision_at_k(Y_TRUE, scores, 4)


def test_sparse_scores_with_an_invalid_indptr_are_rejected():
    scores = sp.csr_array(np.eye(3))
    scores.indptr = scores.indptr + 1
    with pytest.raises(ValueError, match="index pointer"):
        precision_at_k(sp.eye_array(3, format="csr"), scores, k=1)
