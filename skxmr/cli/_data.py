"""Read the rows of a data file for a saved model."""

from itertools import islice
from typing import NamedTuple

from skxmr.cli._data_options import Columns, find_data_format, get_source
from skxmr.datasets import iterate_texts, load_xmc_file

# Number of texts that are in memory while a file is predicted.
BLOCK_ROWS = 10_000


class RowBlock(NamedTuple):
    """Some rows of a data file.

    Attributes
    ----------
    X : list of str or csr_array
        Texts, or features.
    y : list of list of str, csr_array, or None
        Labels of each row, or an indicator; None if they were not read.
    """

    X: object
    y: object


def read_rows(parser, options, model, with_labels):
    """Read a data file in blocks of rows, as a model takes them.

    Parameters
    ----------
    parser : ArgumentParser
        Parser, which reports missing options.
    options : Namespace
        Options of `add_data_options`.
    model : SavedModel
        Model.
    with_labels : bool
        Whether to read the labels.

    Yields
    ------
    RowBlock

    Raises
    ------
    ValueError
        If the file is not valid, or does not fit the model.
    """
    is_xmc = find_data_format(options) == "xmc"
    if is_xmc and model.takes_texts:
        raise ValueError(
            f"{options.data} must be a table with texts, because the model takes texts."
        )
    if not is_xmc and not model.takes_texts:
        raise ValueError(
            f"{options.data} must be in the format xmc, because the model takes features, not "
            "texts. Add --format xmc if it is."
        )
    if is_xmc:
        X, Y = load_xmc_file(get_source(options))
        yield RowBlock(X, Y if with_labels else None)
        return
    columns = choose_columns(parser, options, model.columns, with_labels)
    rows = iterate_texts(get_source(options), format=options.format, **columns._asdict())
    while block := list(islice(rows, BLOCK_ROWS)):
        texts, labels = map(list, zip(*block, strict=True))
        yield RowBlock(texts, labels if with_labels else None)


def choose_columns(parser, options, remembered, with_labels):
    """Return the columns of the options, or else those of the training.

    Parameters
    ----------
    parser : ArgumentParser
        Parser, which reports missing options.
    options : Namespace
        Options of `add_data_options`.
    remembered : Columns or None
        Columns of the training file.
    with_labels : bool
        Whether a column of labels is needed.

    Returns
    -------
    Columns
    """
    given = {name: getattr(options, name) for name in Columns._fields}
    columns = {} if remembered is None else remembered._asdict()
    columns |= {name: value for name, value in given.items() if value is not None}
    if columns.get("text") is None:
        parser.error("--text COLUMN must be given")
    if with_labels and columns.get("labels") is None:
        parser.error("--labels COLUMN must be given")
    if not with_labels:
        columns["labels"] = None
    return Columns(**{**dict.fromkeys(Columns._fields), **columns})
