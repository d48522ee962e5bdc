"""Load subject vocabularies of Annif."""

from skxmr.datasets._annif_corpus import TSV_SUFFIXES, check_path, clean_uri
from skxmr.datasets._binary_files import NumberedLines, open_binary
from skxmr.datasets._tables import FORMATS, decode_lines, find_suffix, list_names, read_table

LABEL_PREFIX = "label_"
RDF_SUFFIXES = {".jsonld", ".n3", ".nq", ".nt", ".owl", ".rdf", ".skos", ".trig", ".ttl", ".xml"}


def load_annif_vocabulary(path, *, language=None):
    """Load the labels of the subjects in a vocabulary of Annif.

    These formats of Annif [1]_ are read:

    - TSV: each line is a URI, a tab and a label. More columns are ignored.
    - CSV: the column "uri", and a column of labels per language, such as "label_en". Other columns,
      such as "notation", are ignored.

    SKOS files are not read. Annif converts them: after ``annif load-vocab``, the file
    ``data/vocabs/VOCABULARY/subjects.csv`` contains the vocabulary.

    Parameters
    ----------
    path : str or path-like
        File. A name that ends in ".csv" is CSV; ".tsv", ".tab" or ".txt" is TSV. It may be followed
        by ".gz", ".bz2" or ".xz" if compressed. Files must be in UTF-8; a byte order mark is
        ignored.
    language : str or None, default=None
        Language of the labels in a CSV file, such as "en". It must be given if the file has several
        languages. None for a TSV file, which has one language.

    Returns
    -------
    dict of str to str
        Label of each URI, in the order of the file. URIs have no angle brackets. A subject without
        a label in this language is left out: Annif keeps removed subjects without a label. If a URI
        occurs several times, its last label counts, as in Annif.

    Raises
    ------
    ValueError
        If the format is unknown, the file is not valid, or the file does not have the language. The
        message has the file and the line.
    TypeError
        If an argument has a wrong type.

    See Also
    --------
    load_annif_corpus : Load texts and the URIs of their subjects.

    References
    ----------
    .. [1] Annif Wiki, "Subject vocabulary formats".
       https://github.com/NatLibFi/Annif/wiki/Subject-vocabulary-formats

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skxmr.datasets import load_annif_vocabulary
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "subjects.csv")
    ...     _ = path.write_text("uri,label_en,label_fi\\nhttp://example.org/1,boats,veneet\\n")
    ...     vocabulary = load_annif_vocabulary(path, language="en")
    >>> vocabulary
    {'http://example.org/1': 'boats'}
    """
    path = check_path(path)
    if not isinstance(language, str | None):
        raise TypeError(f"language must be a string or None; got {language!r}.")
    file_format = _find_format(path)
    if file_format == "tsv" and language is not None:
        raise ValueError(
            f"language must be None for {str(path)!r}, because a TSV file has one language; got "
            f"{language!r}."
        )
    with open_binary(path) as (file, name):
        rows = _read_tsv(file, name) if file_format == "tsv" else _read_csv(file, name, language)
        return {clean_uri(uri, place): label for place, uri, label in rows if label}


def _find_format(path):
    suffix = find_suffix(path)
    file_format = "tsv" if suffix in TSV_SUFFIXES else FORMATS.get(suffix)
    if file_format in ("csv", "tsv"):
        return file_format
    advice = ""
    if suffix in RDF_SUFFIXES:
        advice = (
            " To convert a SKOS file, load it with 'annif load-vocab' and use the file "
            "data/vocabs/VOCABULARY/subjects.csv."
        )
    raise ValueError(
        f"path must be a name that ends in .csv, .tsv, .tab or .txt; got {str(path)!r}.{advice}"
    )


def _read_tsv(file, name):
    lines = NumberedLines(file, name)
    for line in decode_lines(lines):
        if line.strip():
            uri, _, rest = line.strip().partition("\t")
            place = f"{name}, line {lines.number}"
            clean_uri(uri, place)  # also of subjects without a label
            yield place, uri, rest.partition("\t")[0].strip()


def _read_csv(file, name, language):
    def choose_columns(header):
        return ["uri", _find_label_column(header, name, language)]

    for place, (uri, label) in read_table(file, name, "csv", choose_columns):
        yield place, uri.strip(), label.strip()


def _find_label_column(header, name, language):
    languages = [
        column.removeprefix(LABEL_PREFIX) for column in header if column.startswith(LABEL_PREFIX)
    ]
    if not languages:
        raise ValueError(
            f"{name} must have a column 'label_xx', where xx is a language; got the columns "
            f"{list_names(header)}."
        )
    if language is None and len(languages) == 1:
        language = languages[0]
    if language not in languages:
        raise ValueError(
            f"language must be one of {list_names(languages)}, as in {name}; got {language!r}."
        )
    return LABEL_PREFIX + language
