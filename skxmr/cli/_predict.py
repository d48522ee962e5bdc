"""The command ``predict``."""

import csv
import sys

from skxmr.cli._data import read_rows
from skxmr.cli._data_options import add_data_options
from skxmr.cli._saved_models import add_model_options, load_saved_model
from skxmr.cli._suggestion_options import add_suggestion_options, make_suggestion_function


def add_arguments(parser):
    """Add the arguments of the command."""
    add_model_options(parser)
    parser.add_argument("data", help="file with the rows, or - for the standard input")
    add_data_options(parser)
    add_suggestion_options(parser)


def run(parser, options):
    """Print the best labels of each row as CSV: row number from 1, label, score."""
    model = load_saved_model(parser, options)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["row", "label", "score"])
    suggest = make_suggestion_function(parser, options)
    n_rows = 0
    for X, _ in read_rows(parser, options, model, with_labels=False):
        suggestions = suggest(model.estimator, X)
        for row, pairs in enumerate(suggestions, start=n_rows + 1):
            writer.writerows([row, name, f"{score:.6g}"] for name, score in pairs)
        n_rows += len(suggestions)
