"""Text data set of documented objects, made from the docstrings of installed packages."""

import re
import sys
from collections import Counter
from typing import NamedTuple

import numpy as np
import scipy
import sklearn
from sklearn.utils import Bunch, check_scalar

from skxmr._core.arrays import as_public_csr
from skxmr.datasets._docstring_text import (
    has_enough_words,
    list_definitions,
    list_members,
    list_paragraphs,
    list_see_also,
    split_name,
    split_sections,
)
from skxmr.datasets._public_objects import PublicObjects

# A text that occurs in more objects than this is boilerplate that does not distinguish them.
_MAX_OBJECTS_PER_TEXT = 3
# With at least two rows, a random split can leave one row of the label for training.
_MIN_ROWS_PER_LABEL = 2
# Minimum number of words of a description, without stop words. "for sparse input" has two: it
# states a relation and does not describe the object.
_MIN_SEE_ALSO_WORDS = 3

_DESCR = """\
Documented objects of numpy, scipy and scikit-learn
---------------------------------------------------

**Data set characteristics**

    :Rows: {n_rows}
    :Labels: {n_labels}
    :Labels per row: {n_labels_per_row:.2f}
    :Versions: {versions}

Each row is a piece of documentation in plain words. Its labels are the public objects (functions,
classes, ufuncs, distributions and some methods) that the text documents, and the objects that
their docstrings list under See Also. Each row comes from one of these sections:

- "summary": the first line of a docstring
- "description", "notes": a paragraph of a docstring
- "returns": the description of a returned value
- "see also": the description of the object in the docstring of another object
- "listing": the description of the object in the docstring of a module
- "name": the name of the object, split into words; only for names of several words

Markup, code, formulas and tables are removed. The data set does not include deprecated and
experimental objects, texts that occur in more than {max_objects} objects, and labels with fewer
than {min_rows} rows. Methods are labels only if a See Also section lists them.

Sources: the packages installed here. Docstrings belong to their authors and are licensed under
the BSD-3-Clause licenses of numpy, scipy and scikit-learn.
"""


def load_api_docs(*, return_X_y=False):
    """Load texts about objects of numpy, scipy and scikit-learn, with the objects as labels.

    A model trained on this data set finds the right function for a question in plain words. The
    data set is made in a few seconds from the docstrings of the installed packages, without a
    download. Rows and labels depend on the versions of these packages. They do not change between
    runs. There are several thousand labels, and most of them have few rows. So this small data set
    has the properties of an extreme multilabel problem.

    Each object has several rows, so you can split the rows at random. Then nearly all labels of the
    test rows have training rows. The test measures whether a model finds an object by a
    description in other words.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    docs : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with attributes:

        data : list of str
            One piece of documentation per row.
        target : sparse matrix of shape (n_rows, n_labels)
            CSR indicator, int32: the objects that the row documents and the objects of their See
            Also sections.
        target_names : ndarray of str of shape (n_labels,)
            Sorted names of the objects. Each is the public name by which the object is best
            imported, such as "scipy.sparse.linalg.spsolve".
        object_ids : ndarray of int32 of shape (n_rows,)
            Label of the object that each row documents, without See Also. If several objects have
            the same text, the first of them. Use it as a single-label target.
        sections : ndarray of str of shape (n_rows,)
            Section that each row comes from: "summary", "description", "notes", "returns",
            "see also", "listing" or "name".
        versions : dict of str to str
            Version of each package.
        DESCR : str
            Description of the data set.

    data, target : tuple, only if `return_X_y`
        The attributes `data` and `target`.

    Raises
    ------
    RuntimeError
        If Python runs without docstrings (``python -OO``).
    TypeError
        If `return_X_y` is not a bool.

    Examples
    --------
    >>> from skxmr.datasets import load_api_docs
    >>> docs = load_api_docs()
    >>> row = docs.data.index("Split arrays or matrices into random train and test subsets.")
    >>> docs.sections[row].item()
    'summary'
    >>> docs.target_names[docs.object_ids[row]].item()
    'sklearn.model_selection.train_test_split'
    """
    check_scalar(return_X_y, "return_X_y", (bool, np.bool_))
    if sys.flags.optimize > 1:
        raise RuntimeError(
            "load_api_docs needs docstrings; got a Python process without them (option -OO or "
            f"PYTHONOPTIMIZE={sys.flags.optimize}). Use at most -O."
        )
    rows = _drop_rare_labels(_merge_equal_texts(_collect_rows(PublicObjects())))
    names = sorted({name for row in rows for name in row.labels})
    label_ids = {name: label for label, name in enumerate(names)}
    indices = np.array([label_ids[name] for row in rows for name in row.labels], dtype=np.int32)
    indptr = np.concatenate([[0], np.cumsum([len(row.labels) for row in rows])])
    target = as_public_csr(
        indptr, indices, np.ones(len(indices), np.int32), (len(rows), len(names))
    )
    target.sort_indices()
    texts = [row.text for row in rows]
    if return_X_y:
        return texts, target
    versions = {module.__name__: module.__version__ for module in (np, scipy, sklearn)}
    return Bunch(
        data=texts,
        target=target,
        target_names=np.array(names),
        object_ids=np.array([label_ids[row.objects[0]] for row in rows], dtype=np.int32),
        sections=np.array([row.section for row in rows]),
        versions=versions,
        DESCR=_DESCR.format(
            n_rows=len(rows),
            n_labels=len(names),
            n_labels_per_row=target.nnz / len(rows),
            versions=", ".join(f"{package} {version}" for package, version in versions.items()),
            max_objects=_MAX_OBJECTS_PER_TEXT,
            min_rows=_MIN_ROWS_PER_LABEL,
        ),
    )


class _Row(NamedTuple):
    """A piece of documentation."""

    section: str
    text: str
    objects: tuple[str, ...]  # the objects that the text documents
    related: tuple[str, ...]  # the objects of their See Also sections

    @property
    def labels(self):
        """All labels of the row, the documented objects first."""
        return (*self.objects, *self.related)


def _collect_rows(objects):
    """List all rows, each with one documented object, in the order of the object names."""
    rows, done = [], set()
    # Methods have rows only if a See Also section lists them. Most methods (fit, predict,
    # get_params) have the same docstring in hundreds of classes.
    names = sorted(objects.docstrings.keys() - objects.methods)
    while names:
        new_rows = [row for name in names for row in _collect_object_rows(name, objects)]
        rows += new_rows
        done.update(names)
        names = sorted({name for row in new_rows for name in row.labels} - done)
    for namespace, docstring in objects.namespaces.items():
        for member, text in list_members(docstring):
            name = objects.aliases.get(f"{namespace}.{member}")
            if name is not None and has_enough_words(text):
                rows.append(_Row("listing", text, (name,), ()))
    return rows


def _collect_object_rows(name, objects):
    """List the rows that come from the docstring of one object."""
    sections = split_sections(objects.docstrings[name])
    rows_of_others, related = [], {}
    for written_names, text in list_see_also(sections.get("see also", [])):
        resolved = [objects.resolve(written, within=name) for written in written_names]
        resolved = [other for other in resolved if other not in (None, name)]
        related.update(dict.fromkeys(resolved))
        if len(resolved) == 1 and has_enough_words(text, _MIN_SEE_ALSO_WORDS):
            rows_of_others.append(_Row("see also", text, (resolved[0],), ()))
    front = list_paragraphs(sections[""])
    texts = [
        ("name", split_name(name)),
        *(("summary", text) for text in front[:1]),
        *(("description", text) for text in front[1:]),
        *(("notes", text) for text in list_paragraphs(sections.get("notes", []))),
        *(("returns", text) for text in list_definitions(sections.get("returns", []))),
    ]
    rows = [_Row(section, text, (name,), tuple(related)) for section, text in texts if text]
    return rows + rows_of_others


def _normalize_text(text):
    return text.lower().rstrip(".")


def _boilerplate_key(row):
    """Return a key that is equal for rows with the same boilerplate.

    Long texts are boilerplate if they differ only in the name of the object or in an example call.
    A summary is compared in full, because the name may be its only difference ("A gamma continuous
    random variable").
    """
    if row.section not in ("description", "notes", "returns"):
        return _normalize_text(row.text)
    last_name = row.objects[0].rpartition(".")[2]
    words = re.findall(r"\w+", re.sub(r"\([^()]*\)", "", row.text))
    return tuple(word.lower() for word in words if word != last_name and not word.isdigit())


def _merge_equal_texts(rows):
    """Drop boilerplate, and merge rows with equal texts to one row with all their objects."""
    keys = [_boilerplate_key(row) for row in rows]
    objects_of_key = {}
    for row, key in zip(rows, keys, strict=True):
        objects_of_key.setdefault(key, set()).add(row.objects[0])
    merged = {}
    for row, key in zip(rows, keys, strict=True):
        if len(objects_of_key[key]) <= _MAX_OBJECTS_PER_TEXT:
            merged.setdefault(_normalize_text(row.text), []).append(row)
    return [_merge_rows(equal_rows) for equal_rows in merged.values()]


def _merge_rows(rows):
    # A dict is a set that keeps the order of insertion.
    objects = dict.fromkeys(name for row in rows for name in row.objects)
    related = dict.fromkeys(name for row in rows for name in row.related)
    return rows[0]._replace(
        objects=tuple(objects), related=tuple(name for name in related if name not in objects)
    )


def _drop_rare_labels(rows):
    """Remove labels with too few rows, and rows whose documented objects are all removed."""
    while True:
        counts = Counter(name for row in rows for name in row.labels)
        rare = {name for name, n_rows in counts.items() if n_rows < _MIN_ROWS_PER_LABEL}
        if not rare:
            return rows
        # Removing a row can make other labels rare, so this is repeated.
        rows = [
            row._replace(
                objects=tuple(name for name in row.objects if name not in rare),
                related=tuple(name for name in row.related if name not in rare),
            )
            for row in rows
            if not rare.issuperset(row.objects)
        ]
