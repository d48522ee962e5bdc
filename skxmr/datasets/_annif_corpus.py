"""Load document corpora of Annif."""

import os
from pathlib import Path

from skxmr.datasets._binary_files import NumberedLines, open_binary
from skxmr.datasets._tables import (
    FORMATS,
    decode_lines,
    find_suffix,
    list_names,
    parse_object,
    read_objects,
    read_table,
    shorten,
)
from skxmr.datasets._text_files import LabeledTexts, check_text

# Annif reads files with all other names as TSV, but a spreadsheet must not become a corpus.
TSV_SUFFIXES = {"", ".txt"}


def load_annif_corpus(path):
    """Load the texts and the subjects of a document corpus of Annif.

    These formats of Annif [1]_ are read:

    - TSV: each line is a text, a tab, and the URIs of the subjects, separated by spaces.
    - CSV: the columns "text" and "subject_uris". Other columns are ignored.
    - JSON lines: the fields "text" and "subjects", a list of objects with a "uri" or a "label". If
      an object has no text, the values of its field "metadata" are joined with spaces.
    - A folder: a file ``.txt`` per text, with its subjects in a file with an equal name that ends
      in ``.tsv`` or ``.key``, and files ``.json``, which contain one object each.

    Parameters
    ----------
    path : str or path-like
        File or folder. The end of the name of a file decides: ".csv", ".jsonl", ".ndjson", ".json",
        ".tsv", ".tab" or ".txt", followed by ".gz", ".bz2" or ".xz" if compressed. Files must be in
        UTF-8; a byte order mark is ignored.

    Returns
    -------
    texts : list of str
        Text of each document. The documents of a folder are sorted by the names of their files,
        and ``.txt`` files come first.
    labels : list of list of str
        Subjects of each document without duplicates: the URI without angle brackets, or the label
        if the corpus has no URI. A ``.txt`` file without a file of subjects has no subjects.

    Raises
    ------
    ValueError
        If the format is unknown or a file is not valid. The message has the file and the line.
    TypeError
        If `path` is not a path.

    See Also
    --------
    load_annif_vocabulary : Load the labels of the URIs.
    skxmr.make_text_classifier : Classifier of such texts and labels.

    Notes
    -----
    Annif ignores URIs that are not in its vocabulary, and does not train with documents without
    subjects. This function returns both.

    References
    ----------
    .. [1] Annif Wiki, "Corpus formats". https://github.com/NatLibFi/Annif/wiki/Corpus-formats

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skxmr.datasets import load_annif_corpus
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "titles.tsv")
    ...     _ = path.write_text("Lake boats\\t<http://example.org/1> <http://example.org/2>\\n")
    ...     texts, labels = load_annif_corpus(path)
    >>> texts
    ['Lake boats']
    >>> labels
    [['http://example.org/1', 'http://example.org/2']]
    """
    path = check_path(path)
    documents = _read_folder(path) if path.is_dir() else _read_file(path)
    texts, labels = [], []
    # One string per subject, not per occurrence: 100,000 titles with five of 50,000 subjects take
    # 32 MB instead of 63 MB.
    known = {}
    for text, subjects in documents:
        texts.append(text)
        labels.append([known.setdefault(subject, subject) for subject in dict.fromkeys(subjects)])
    return LabeledTexts(texts, labels)


def check_path(path):
    """Return the argument `path` as a Path; raise a TypeError if it is not a path."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a str or a path; got {type(path).__name__}.")
    return Path(os.fsdecode(path))


def clean_uri(uri, place):
    """Return a URI without angle brackets; raise a ValueError if it is not a URI."""
    cleaned = uri[1:-1] if uri.startswith("<") and uri.endswith(">") else uri
    # Every URI has a scheme. The check finds texts in the place of URIs.
    if ":" not in cleaned:
        raise ValueError(f"{place}: subject must be a URI such as <http:...>; got {shorten(uri)}.")
    return cleaned


def _read_file(path):
    suffix = find_suffix(path)
    file_format = "tsv" if suffix in TSV_SUFFIXES else FORMATS.get(suffix)
    readers = {"tsv": _read_tsv, "csv": _read_csv, "jsonl": _read_json_lines}
    if file_format not in readers:
        known = [known for known, value in FORMATS.items() if value in readers]
        raise ValueError(
            f"path must be a folder or a name that ends in {', '.join(known)} or .txt; got "
            f"{str(path)!r}."
        )
    with open_binary(path) as (file, name):
        yield from readers[file_format](file, name)


def _read_tsv(file, name):
    lines = NumberedLines(file, name)
    for line in decode_lines(lines):
        if not line.strip():
            continue
        place = f"{name}, line {lines.number}"
        text, tab, uris = line.partition("\t")
        if not tab:
            raise ValueError(
                f"{place}: the line must be a text, a tab and URIs; got {shorten(line.rstrip())}. "
                "Write a tab after a text without subjects."
            )
        yield text, [clean_uri(uri, place) for uri in uris.split()]


def _read_csv(file, name):
    for place, (text, uris) in read_table(file, name, "csv", ["text", "subject_uris"]):
        yield text, [clean_uri(uri, place) for uri in uris.split()]


def _read_json_lines(file, name):
    for place, record in read_objects(NumberedLines(file, name)):
        yield _read_document(record, place)


def _read_folder(folder):
    # Pipes and folders with such names are skipped.
    text_paths, json_paths = (
        sorted(path for path in folder.glob(pattern) if path.is_file())
        for pattern in ("*.txt", "*.json")
    )
    if not text_paths and not json_paths:
        raise ValueError(f"path must be a folder with .txt or .json files; got {str(folder)!r}.")
    for path in text_paths:
        yield "".join(line for _, line in _read_lines(path)), _read_subjects_of(path)
    for path in json_paths:
        text = "".join(line for _, line in _read_lines(path))
        yield _read_document(parse_object(text, str(path), "the file"), str(path))


def _read_lines(path):
    with open_binary(path) as (file, name):
        lines = NumberedLines(file, name)
        for line in decode_lines(lines):
            yield f"{name}, line {lines.number}", line


def _read_subjects_of(text_path):
    for suffix in (".tsv", ".key"):
        path = text_path.with_suffix(suffix)
        if path.is_file():
            return [_read_subject(line, place) for place, line in _read_lines(path) if line.strip()]
    return []


def _read_subject(line, place):
    # In the order of Annif: "<URI>", "<URI>, tab, label" or "label".
    first = next(value for value in map(str.strip, line.split("\t")) if value)
    return clean_uri(first, place) if first.startswith("<") and first.endswith(">") else first


def _read_document(record, place):
    subjects = record.get("subjects")
    if not isinstance(subjects, list | None):
        raise ValueError(f"{place}: 'subjects' must be a list; got {shorten(subjects)}.")
    return (
        _read_document_text(record, place),
        [_read_json_subject(subject, place) for subject in subjects or []],
    )


def _read_document_text(record, place):
    text, metadata = record.get("text"), record.get("metadata")
    if text is not None:
        return check_text(text, place, "text")
    if not isinstance(metadata, dict):
        raise ValueError(
            f"{place}: the object must have a field 'text', or a field 'metadata' with an object; "
            f"got the fields {list_names(record)}."
        )
    texts = (check_text(value, place, field) for field, value in metadata.items())
    return " ".join(text for text in texts if text)


def _read_json_subject(subject, place):
    if isinstance(subject, dict):
        for field in ("uri", "label"):
            value = subject.get(field)
            if isinstance(value, str) and value.strip():
                return clean_uri(value.strip(), place) if field == "uri" else value.strip()
    raise ValueError(
        f"{place}: each of 'subjects' must be an object with the string 'uri' or 'label'; got "
        f"{shorten(subject)}."
    )
