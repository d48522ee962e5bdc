"""Options of suggestions: how many labels, from which score, and which labels."""

import argparse
from pathlib import Path

import numpy as np


def read_positive_integer(text):
    """Return a positive integer; raise an ArgumentTypeError for any other text."""
    # int() does not accept arbitrarily many digits.
    if not text.isdecimal() or len(text) > 18 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer; got {text}")
    return int(text)


def add_suggestion_options(parser):
    """Add the options `k`, `threshold`, `only-labels` and `exclude-labels`."""
    parser.add_argument(
        "-k",
        type=read_positive_integer,
        default=5,
        metavar="NUMBER",
        help="maximum number of labels per row (default: 5)",
    )
    parser.add_argument(
        "--threshold", type=float, metavar="SCORE", help="minimum score of a label (default: none)"
    )
    parser.add_argument(
        "--only-labels",
        metavar="FILE",
        help="file with the only labels that may be suggested, one per line",
    )
    parser.add_argument(
        "--exclude-labels",
        metavar="FILE",
        help="file with labels that are not suggested, one per line",
    )


def make_suggestion_function(parser, options):
    """Return a function (estimator, rows) -> suggestions with the options of the command line."""
    names = {
        option: _read_names(parser, path)
        for option, path in (("labels", options.only_labels), ("exclude", options.exclude_labels))
        if path is not None
    }

    def suggest(estimator, rows):
        # Files contain text. The labels of a model may be numbers.
        has_numbers = np.asarray(estimator.classes_).dtype.kind in "iu"
        labels = {
            option: [_read_number(name) for name in found] if has_numbers else found
            for option, found in names.items()
        }
        return estimator.suggest(rows, k=options.k, threshold=options.threshold, **labels)

    return suggest


def _read_names(parser, path):
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"{path} cannot be read: {error}")
    return [line.strip() for line in lines if line.strip()]


def _read_number(name):
    try:
        return int(name)
    except ValueError:
        return name  # an unknown label, which gets an error
