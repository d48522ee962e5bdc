"""Options that say how to read a data file."""

import argparse
import sys
from typing import NamedTuple

from skxmr.datasets import ADVICE, FORMATS, find_suffix

TABLE_FORMATS = tuple(dict.fromkeys(FORMATS.values()))
# File name of the text format of the Extreme Classification Repository.
XMC_SUFFIX = ".txt"


class Columns(NamedTuple):
    """Columns of a table with texts; saved with a model. The fields are those of `load_texts`.

    Attributes
    ----------
    text : list of str
        Columns of the texts.
    labels : str or None
        Column of the labels.
    separator : str or None
        Separator of several labels in one cell.
    delimiter : str or None
        Separator of the fields of a CSV file.
    """

    text: list[str]
    labels: str | None
    separator: str | None
    delimiter: str | None


def add_data_options(parser, is_training=False):
    """Add the options of a data file.

    Parameters
    ----------
    parser : ArgumentParser
        Parser of a command.
    is_training : bool, default=False
        Whether the command trains. The columns of other commands default to those of the training.
    """
    default = "" if is_training else " (default: as in the training)"
    parser.add_argument(
        "--format",
        choices=[*TABLE_FORMATS, "xmc"],
        help="format of the file (default: by the end of its name)",
    )
    parser.add_argument(
        "--text",
        action="append",
        metavar="COLUMN",
        help=f"column with the text; repeat the option to join several columns{default}",
    )
    parser.add_argument("--labels", metavar="COLUMN", help=f"column with the labels{default}")
    parser.add_argument(
        "--separator",
        type=_read_separator,
        metavar="TEXT",
        help=f'separator of several labels in one cell, such as ";"{default}',
    )
    parser.add_argument(
        "--delimiter",
        type=_read_delimiter,
        metavar="CHARACTER",
        help="separator of the fields of a CSV file"
        + (default or " (default: a comma, and a tab for TSV)"),
    )


def _read_separator(text):
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _read_delimiter(text):
    if len(text) != 1 or text in '"\r\n':
        raise argparse.ArgumentTypeError(f"must be one character; got {text!r}")
    return text


def get_source(options):
    """Return what to read: the path of the data file, or the standard input for "-"."""
    return sys.stdin.buffer if options.data == "-" else options.data


def find_data_format(options):
    """Return the format of the data file: one of `TABLE_FORMATS`, or "xmc".

    Parameters
    ----------
    options : Namespace
        Options with the attributes `data` and `format`.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the format is not given, and the name of the file does not show it.
    """
    if options.format is not None:
        return options.format
    suffix = find_suffix(options.data)
    if suffix == XMC_SUFFIX:
        return "xmc"
    if suffix not in FORMATS:
        known = ", ".join([*TABLE_FORMATS, "xmc"])
        raise ValueError(
            f"the format of {options.data} must be given, because its name does not end in "
            f"{', '.join(FORMATS)} or {XMC_SUFFIX}. "
            + ADVICE.get(suffix, f"Add --format with one of {known}.")
        )
    return FORMATS[suffix]
