"""Options with numbers: how many labels to return, and from which score."""

import argparse


def read_positive_integer(text):
    """Return a positive integer; raise an ArgumentTypeError for any other text."""
    # int() does not accept arbitrarily many digits.
    if not text.isdecimal() or len(text) > 18 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer; got {text}")
    return int(text)


def add_suggestion_options(parser):
    """Add the options `k` and `threshold`."""
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
