"""Read the rows of a table: CSV, TSV, JSON lines or Parquet."""

import csv
import json
from pathlib import PurePath
from typing import NamedTuple

from skxmr.datasets._binary_files import COMPRESSIONS, NumberedLines

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}
# Remedies for files of other formats.
SPREADSHEETS = (".xls", ".xlsx", ".ods")
ADVICE = dict.fromkeys(SPREADSHEETS, "Save the sheet as CSV in UTF-8.")
DELIMITERS = {"csv": ",", "tsv": "\t"}
# The module csv refuses longer fields. Its default is 131,072 characters.
MAX_FIELD_CHARACTERS = 2**31 - 1
# Number of rows of a Parquet file that are in memory as Python objects.
BATCH_ROWS = 10_000
# Part of an invalid value that an error message shows.
MAX_SHOWN_CHARACTERS = 60
MAX_SHOWN_COLUMNS = 20


class TableRow(NamedTuple):
    """The cells of one row that were asked for.

    Attributes
    ----------
    place : str
        Position of the row for error messages, for example "articles.csv, line 3".
    cells : list
        Values of the columns: strings, or any type in JSON lines and Parquet.
    """

    place: str
    cells: list


def find_format(path, file_format=None):
    """Return the format of a table: "csv", "tsv", "jsonl" or "parquet".

    Parameters
    ----------
    path : str, path-like or file-like
        File.
    file_format : str or None
        Format that the caller asks for. If None, the suffix of the path decides.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the format is unknown.
    """
    allowed = sorted(set(FORMATS.values()))
    if file_format is not None:
        if file_format not in allowed:
            raise ValueError(f"format must be one of {', '.join(allowed)}; got {file_format!r}.")
        return file_format
    suffix = find_suffix(path)
    if suffix not in FORMATS:
        advice = ADVICE.get(suffix, f"Set format to one of {', '.join(allowed)}.")
        raise ValueError(
            f"format must be given for {str(path)!r}, because the name does not end in one of "
            f"{', '.join(FORMATS)}. {advice}"
        )
    return FORMATS[suffix]


def find_suffix(path):
    """Return the end of a file name that shows its format, in lower case.

    Parameters
    ----------
    path : str, path-like or file-like
        File.

    Returns
    -------
    str
        For example ".csv" for "articles.csv.gz"; empty for a file object.
    """
    try:
        suffixes = [suffix.lower() for suffix in PurePath(path).suffixes]
    except TypeError:  # a file object
        return ""
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def read_table(file, name, file_format, columns, delimiter=None):
    """Read some columns of a table row by row.

    Parameters
    ----------
    file : file-like
        File in binary mode, at its start.
    name : str
        Name of the file in error messages.
    file_format : {"csv", "tsv", "jsonl", "parquet"}
        Format.
    columns : list of str or callable
        Names of the columns. For CSV and TSV, also a function that returns them for the list of all
        names of columns.
    delimiter : str or None
        Character between the fields of a CSV or TSV file. If None, a comma or a tab.

    Yields
    ------
    TableRow

    Raises
    ------
    ValueError
        If the file is not valid. The message has the line and the remedy.
    ImportError
        If the file is a Parquet file and pyarrow is not installed.
    """
    if file_format == "parquet":
        yield from _read_parquet(file, name, columns)
        return
    lines = NumberedLines(file, name)
    if file_format == "jsonl":
        yield from _read_json(lines, columns)
    else:
        yield from _read_csv(lines, columns, delimiter or DELIMITERS[file_format])


def shorten(value):
    """Return the start of a value for an error message."""
    text = repr(value)
    if len(text) <= MAX_SHOWN_CHARACTERS:
        return text
    return text[:MAX_SHOWN_CHARACTERS] + "..."


def list_names(names):
    """Return the first names, for an error message."""
    names = list(names)
    more = f" and {len(names) - MAX_SHOWN_COLUMNS} more" * (len(names) > MAX_SHOWN_COLUMNS)
    return ", ".join(map(shorten, names[:MAX_SHOWN_COLUMNS])) + more


def decode_lines(lines):
    """Decode the lines of a `NumberedLines` from UTF-8; yield strings."""
    for line in lines:
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{lines.name}, line {lines.number}: the line must be UTF-8; got the byte "
                f"0x{line[error.start]:02x}. Save the file in UTF-8."
            ) from None


def read_objects(lines):
    """Read JSON lines.

    Parameters
    ----------
    lines : NumberedLines
        Lines of a file. Blank lines are skipped.

    Yields
    ------
    place : str
        Position for error messages, for example "articles.jsonl, line 3".
    record : dict
        Object in the line.

    Raises
    ------
    ValueError
        If a line is not a JSON object.
    """
    for text in decode_lines(lines):
        if text.strip():
            place = f"{lines.name}, line {lines.number}"
            yield place, parse_object(text, place, "the line", " Write one JSON object per line.")


def parse_object(text, place, subject, advice=""):
    """Return the dict of a text that must be a JSON object.

    Parameters
    ----------
    text : str
        JSON.
    place, subject, advice : str
        Beginning and subject of the error message, and a sentence that follows it.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If the text is not a JSON object, or is nested too deeply.
    """
    try:
        record = json.loads(text)
    except RecursionError:
        raise ValueError(f"{place}: the JSON must not be nested so deeply.") from None
    except ValueError as error:
        # The position in a JSONDecodeError is confusing: its line is always 1.
        problem = getattr(error, "msg", error)
        raise ValueError(
            f"{place}: {subject} must be a JSON object; got {shorten(text.rstrip())}: {problem}."
            f"{advice}"
        ) from None
    if not isinstance(record, dict):
        raise ValueError(
            f"{place}: {subject} must be a JSON object; got {shorten(record)}.{advice}"
        )
    return record


def _read_csv(lines, columns, delimiter):
    # The limit is global. It is not lowered again, because another thread may need it.
    if csv.field_size_limit() < MAX_FIELD_CHARACTERS:
        csv.field_size_limit(MAX_FIELD_CHARACTERS)
    reader = csv.reader(decode_lines(lines), delimiter=delimiter, strict=True)
    header, start = None, 1
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise ValueError(
                f"{lines.name}, line {start}: {_explain_csv_error(error, delimiter)}"
            ) from None
        place, start = f"{lines.name}, line {start}", reader.line_num + 1
        if header is None:
            header = fields
            columns = columns(header) if callable(columns) else columns
            positions = _find_columns(header, columns, lines.name)
            continue
        if not fields:
            if len(header) > 1:
                continue
            fields = [""]  # a blank line is a row if there is only one column
        if len(fields) != len(header):
            raise ValueError(
                f"{place}: the row must have {len(header)} fields, as the header has; got "
                f"{len(fields)}. Put quotes around fields that contain {delimiter!r}."
            )
        yield TableRow(place, [fields[position] for position in positions])
    if header is None:
        raise ValueError(f"{lines.name} must have a header line with column names; got no line.")


def _explain_csv_error(error, delimiter):
    message = str(error)
    if "new-line character" in message:
        return "lines must end with a line feed; got a carriage return. Convert the line ends."
    if "unexpected end of data" in message:
        return (
            "each quote must be closed; got the end of the file inside of quotes that start in "
            "this row. Write a quote inside of quotes twice."
        )
    if "expected after" in message:
        return (
            f"closing quotes must be followed by {delimiter!r} or the end of the line; got other "
            "text. Write a quote inside of quotes twice."
        )
    return f"the row must be valid CSV; {message}."


def _find_columns(header, columns, name):
    positions = []
    for column in columns:
        n_found = header.count(column)
        if n_found == 1:
            positions.append(header.index(column))
            continue
        problem = f"got {n_found} columns with this name" if n_found else _list_columns(header)
        raise ValueError(f"{name} must have one column {column!r}; {problem}.")
    return positions


def _list_columns(header):
    found = f"got the columns {list_names(header)}"
    if len(header) == 1:
        others = [delimiter for delimiter in ";\t,|" if delimiter in header[0]]
        if others:
            found += (
                f". The file seems to have fields separated by {others[0]!r}; "
                f"set delimiter to {others[0]!r}"
            )
    return found


def _read_json(lines, columns):
    for place, record in read_objects(lines):
        for column in columns:
            if column not in record:
                raise ValueError(
                    f"{place}: the object must have the field {column!r}; got the fields "
                    f"{list_names(record)}. Write null for a missing value."
                )
        yield TableRow(place, [record[column] for column in columns])


def _read_parquet(file, name, columns):
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ImportError(
            f"{name}: pyarrow must be installed to read Parquet files. Install it with "
            "'pip install pyarrow', or save the file as CSV."
        ) from None
    try:
        table = pyarrow.parquet.ParquetFile(file)
        _find_columns(table.schema_arrow.names, columns, name)
        n_rows = 0
        for batch in table.iter_batches(batch_size=BATCH_ROWS, columns=columns):
            values = [batch.column(column).to_pylist() for column in columns]
            for row, cells in enumerate(zip(*values, strict=True), start=n_rows + 1):
                yield TableRow(f"{name}, row {row}", list(cells))
            n_rows += batch.num_rows
    except pyarrow.ArrowException as error:
        raise ValueError(f"{name} must be a Parquet file; {error}") from None
