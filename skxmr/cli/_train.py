"""The command ``train``."""

import sys
import time
import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import Normalizer

from skxmr._core.array_folder import check_destination
from skxmr._core.label_names import binarize_names, find_label_names
from skxmr._core.model_folder import FORMAT
from skxmr.cli._classifier_options import add_classifier_options, make_classifier
from skxmr.cli._data import choose_columns
from skxmr.cli._data_options import add_data_options, find_data_format, get_source
from skxmr.cli._saved_models import describe_size, make_extras
from skxmr.datasets import load_texts, load_xmc_file
from skxmr.metrics import MIN_PROPENSITY_ROWS, label_propensities
from skxmr.persistence import check_savable, save_model
from skxmr.pipeline import make_pipeline


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("data", help="training file, or - for the standard input")
    parser.add_argument("model", help="folder to write; an existing model is replaced")
    add_data_options(parser, is_training=True)
    parser.add_argument(
        "--normalize",
        action="store_true",
        help="scale each row of the format xmc to unit length, which usually ranks better",
    )
    parser.add_argument(
        "--estimate",
        action="store_true",
        help="print the estimated memory and time of the training, and exit",
    )
    add_classifier_options(parser)


def run(parser, options):
    """Read the file, report what it has, fit the model and save it."""
    file_format = find_data_format(options)
    is_text = file_format != "xmc"
    if is_text:
        columns = choose_columns(parser, options, None, with_labels=True)
        if options.normalize:
            parser.error("--normalize is only for the format xmc; texts always have unit length")
    else:
        columns = None
        given = [name for name in ("text", "labels", "separator") if getattr(options, name)]
        if given:
            parser.error(
                f"--{given[0]} must not be given for data in the format xmc. If {options.data} is "
                "a table, add --format csv"
            )
    model = make_classifier(parser, options, is_text)
    try:
        check_savable(model)
    except TypeError as error:
        parser.error(str(error))
    check_destination(options.model, FORMAT)  # fail before the training, not after it
    if is_text:
        X, y = load_texts(get_source(options), format=options.format, **columns._asdict())
        Y = _count_labels(options, X, y)
    else:
        X, y = load_xmc_file(get_source(options))
        Y = y
        if options.normalize:
            model = make_pipeline(Normalizer(), model)
    _report_rows(options, file_format, Y)
    if options.estimate:
        _print_estimate(model, X, Y)
        return
    start = time.perf_counter()
    with warnings.catch_warnings():
        # `load_texts` has warned already.
        warnings.filterwarnings("ignore", message="y has classes that look like several labels")
        model.fit(X, y)
    classifier = model[-1] if hasattr(model, "steps") else model
    classifier.set_params(verbose=0)
    propensities = None
    if Y.shape[0] >= MIN_PROPENSITY_ROWS:
        # The column without rows has the propensity of labels that only other files have.
        propensities = label_propensities(sp.hstack([Y, sp.csr_array((Y.shape[0], 1))]).tocsr())
    save_model(model, options.model, extras=make_extras(columns, propensities))
    print(
        f"saved {options.model}: {describe_size(options.model)}, trained in "
        f"{time.perf_counter() - start:,.1f} s",
        file=sys.stderr,
    )


def _count_labels(options, texts, labels):
    # The indicator of the labels of texts.
    if not texts:
        raise ValueError(f"{options.data} must have at least one row; got none.")
    rows = np.empty(len(labels), dtype=object)
    rows[:] = [tuple(row) for row in labels]
    if not any(rows):
        raise ValueError(
            f"{options.data} must have at least one label; all cells of the column "
            f"{options.labels!r} are empty."
        )
    n_empty = sum(not text.strip() for text in texts)
    if n_empty:
        print(f"{options.data}: {_count(n_empty, 'row')} without a text", file=sys.stderr)
    return binarize_names(rows, find_label_names(rows))


def _report_rows(options, file_format, Y):
    n_rows, n_labels = Y.shape
    n_without = n_rows - int(np.count_nonzero(np.diff(Y.indptr)))
    report = (
        f"{options.data} ({file_format}): {_count(n_rows, 'row')}, {_count(n_labels, 'label')}, "
        f"{Y.nnz / n_rows:.1f} per row"
    )
    if n_without:
        kept = "is kept as a negative" if n_without == 1 else "are kept as negatives"
        report += f"; {_count(n_without, 'row')} without labels {kept}"
    print(report, file=sys.stderr)


def _count(number, noun):
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _print_estimate(model, X, Y):
    if hasattr(model, "steps"):
        X = model[:-1].fit_transform(X)
        model = model[-1]
    estimate = model.estimate_costs(X, Y)
    print(f"memory: {estimate.memory}\ntime: {estimate.time}")
