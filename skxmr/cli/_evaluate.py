"""The command ``evaluate``."""

import sys

import numpy as np
import scipy.sparse as sp

from skxmr._core.label_names import binarize_names
from skxmr.cli._data import read_rows
from skxmr.cli._data_options import add_data_options
from skxmr.cli._saved_models import add_model_options, load_saved_model
from skxmr.cli._suggestion_options import read_positive_integer
from skxmr.metrics import ndcg_at_k, precision_at_k, psprecision_at_k, recall_at_k


def add_arguments(parser):
    """Add the arguments of the command."""
    add_model_options(parser)
    parser.add_argument("data", help="file with rows and labels, or - for the standard input")
    add_data_options(parser)
    parser.add_argument(
        "-k",
        type=read_positive_integer,
        nargs="+",
        default=[1, 3, 5],
        metavar="NUMBER",
        help="numbers of best labels to evaluate (default: 1 3 5)",
    )


def run(parser, options):
    """Print precision, recall, nDCG and propensity-scored precision at k, in percent."""
    model = load_saved_model(parser, options)
    n_labels = len(model.estimator.classes_)
    max_k = min(max(options.k), n_labels)
    indicators, columns, scores = [], [], []
    for X, y in read_rows(parser, options, model, with_labels=True):
        indicators.append(_make_indicator(options, y, model.estimator.classes_))
        block_columns, block_scores = model.estimator.predict_topk(X, k=max_k)
        columns.append(block_columns)
        scores.append(block_scores)
    if not indicators or not sum(Y.nnz for Y in indicators):
        raise ValueError(f"{options.data} must have at least one row with labels; got none.")
    width = max(Y.shape[1] for Y in indicators)
    padding = ((0, 0), (0, min(max(options.k), width) - max_k))
    ranking = (
        np.pad(np.concatenate(columns), padding, constant_values=-1),
        np.pad(np.concatenate(scores), padding, constant_values=-np.inf),
    )
    for Y in indicators:
        Y.resize(Y.shape[0], width)
    Y = sp.vstack(indicators, format="csr")
    if width > n_labels:
        n_missed = np.count_nonzero(Y.indices >= n_labels)
        print(
            f"{options.data}: {n_missed:,} of {Y.nnz:,} labels of rows are not in the model; they "
            "count as not found",
            file=sys.stderr,
        )
    header, metrics = ["k", "P@k", "R@k", "nDCG@k"], [precision_at_k, recall_at_k, ndcg_at_k]
    propensities = model.propensities
    if propensities is not None:
        header.append("PSP@k")
        unknown = np.full(width - n_labels, propensities[-1])
        propensities = np.concatenate([propensities[:n_labels], unknown])
    print("\t".join(header))
    for k in sorted(set(options.k)):
        values = [metric(Y, ranking, k=k) for metric in metrics]
        if propensities is not None:
            values.append(psprecision_at_k(Y, ranking, k=k, propensities=propensities))
        print("\t".join([str(k), *(f"{100 * value:.2f}" for value in values)]))


def _make_indicator(options, y, classes):
    if sp.issparse(y):
        if y.shape[1] != len(classes):
            raise ValueError(
                f"{options.data} must have {len(classes)} labels, as the model; got {y.shape[1]}."
            )
        return sp.csr_array(y)
    rows = np.empty(len(y), dtype=object)
    rows[:] = [tuple(row) for row in y]
    return binarize_names(rows, np.array([str(name) for name in classes], dtype=object))
