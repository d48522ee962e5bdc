"""A data set of queries and documented objects, made from installed docstrings."""

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
    definitions,
    listing,
    name_in_words,
    paragraphs,
    says_something,
    see_also,
    split_sections,
)
from skxmr.datasets._public_objects import PublicObjects

# A text of more objects than this is boilerplate: it tells none of them from the others.
_MAX_OWNERS = 3
# With two rows, a random split can leave one for training.
_MIN_ROWS = 2

_DESCR = """\
Documented objects of numpy, scipy and scikit-learn
---------------------------------------------------

**Data set characteristics**

    :Rows: {n_rows}
    :Labels: {n_labels}
    :Labels per row: {n_labels_per_row:.2f}
    :Versions: {versions}

A row is a piece of documentation in plain words, and its labels are the public objects (functions,
classes, ufuncs, distributions, some methods) that it documents and those that their docstring
names under See Also. Pieces are, by section: the "summary" line of a docstring; a paragraph of
its "description" or "notes"; the description of something it "returns"; what another docstring's
"see also" says of the object; what the docstring of a module says of it in a "listing"; its "name"
read as words, if it is made of several.

Markup, code, formulas and tables are removed. Left out are deprecated and experimental objects,
texts found in more than {max_owners} objects and labels with fewer than {min_rows} rows. Methods
are labels where a See Also names them.

Sources: the packages installed here. Docstrings belong to their authors and fall under the
licences of numpy, scipy and scikit-learn (BSD-3-Clause).
"""


def load_api_docs(*, return_X_y=False):
    """Load texts that describe objects of numpy, scipy and scikit-learn, and what they describe.

    A model trained on it finds the right function for a question in plain words. The set is made
    in a few seconds from the docstrings of the packages that are installed: nothing is
    downloaded, and rows and labels differ between versions of these packages, not between runs.
    It has several thousand labels, few of them with many rows: a small set with the traits of
    extreme ones.

    Each object has several rows, so rows can be split at random: nearly every label of the test
    rows then has training rows, and what is tested is whether another wording finds the object.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether only ``(data, target)`` is returned.

    Returns
    -------
    docs : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with attributes:

        data : list of str
            One piece of documentation a row.
        target : sparse matrix of shape (n_rows, n_labels)
            CSR indicator, int32: the objects a row documents and those their See Also name.
        target_names : ndarray of str of shape (n_labels,)
            Name of each object, sorted: the public name by which it is best imported, such as
            "scipy.sparse.linalg.spsolve".
        object_ids : ndarray of int32 of shape (n_rows,)
            Label of the object that a row documents (the first one, where several share a
            text), without See Also: one class a row.
        sections : ndarray of str of shape (n_rows,)
            Where a row comes from: "summary", "description", "notes", "returns", "see also",
            "listing" or "name".
        versions : dict of str to str
            Package -> version that the texts are from.
        DESCR : str
            Description of the data set.

    data, target : tuple, only if `return_X_y`
        The two attributes of that name.

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
    >>> docs.target.shape == (len(docs.data), len(docs.target_names))
    True
    >>> "scipy.sparse.linalg.spsolve" in docs.target_names
    True
    """
    check_scalar(return_X_y, "return_X_y", (bool, np.bool_))
    if sys.flags.optimize > 1:
        raise RuntimeError(
            "load_api_docs reads docstrings, and Python runs without them (-OO or "
            f"PYTHONOPTIMIZE={sys.flags.optimize}); -O is allowed."
        )
    texts, sections, labels = _merge(_documented_rows(PublicObjects()))
    names = sorted({name for row in labels for name in row})
    number_of = {name: number for number, name in enumerate(names)}
    indices = np.array([number_of[name] for row in labels for name in row], dtype=np.int32)
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in labels])])
    target = as_public_csr(
        indptr, indices, np.ones(len(indices), np.int32), (len(texts), len(names))
    )
    target.sort_indices()
    if return_X_y:
        return texts, target
    versions = {module.__name__: module.__version__ for module in (np, scipy, sklearn)}
    return Bunch(
        data=texts,
        target=target,
        target_names=np.array(names),
        object_ids=np.array([number_of[row[0]] for row in labels], dtype=np.int32),
        sections=np.array(sections),
        versions=versions,
        DESCR=_DESCR.format(
            n_rows=len(texts),
            n_labels=len(names),
            n_labels_per_row=target.nnz / len(texts),
            versions=", ".join(f"{package} {version}" for package, version in versions.items()),
            max_owners=_MAX_OWNERS,
            min_rows=_MIN_ROWS,
        ),
    )


class _Row(NamedTuple):
    section: str
    text: str
    owner: str
    related: tuple[str, ...]


def _documented_rows(objects):
    """List what is said of each object, in the order of names."""
    rows, seen = [], set()
    # Methods have labels only where somebody refers to them: most of them (fit, predict,
    # get_params) say the same for hundreds of classes.
    wanted = sorted(objects.docstrings.keys() - objects.methods)
    while wanted:
        found = [row for name in wanted for row in _rows_of(name, objects)]
        rows += found
        seen.update(wanted)
        wanted = sorted({name for row in found for name in (row.owner, *row.related)} - seen)
    for namespace, docstring in objects.namespaces.items():
        for name, text in listing(docstring):
            name = objects.aliases.get(f"{namespace}.{name}")
            if name is not None and says_something(text):
                rows.append(_Row("listing", text, name, ()))
    return rows


def _rows_of(name, objects):
    """List the rows that the docstring of one object gives."""
    lines = split_sections(objects.docstrings[name])
    said_of_others, related = [], {}
    for names, text in see_also(lines.get("see also", [])):
        resolved = [objects.resolve(written, within=name) for written in names]
        resolved = [other for other in resolved if other not in (None, name)]
        related.update(dict.fromkeys(resolved))
        # A relation ("for sparse input") is no description: that takes a few words more.
        if len(resolved) == 1 and says_something(text, n_words=3):
            said_of_others.append(_Row("see also", text, resolved[0], ()))
    front = paragraphs(lines[""])
    texts = [
        ("name", name_in_words(name)),
        *(("summary", text) for text in front[:1]),
        *(("description", text) for text in front[1:]),
        *(("notes", text) for text in paragraphs(lines.get("notes", []))),
        *(("returns", text) for text in definitions(lines.get("returns", []))),
    ]
    said = [_Row(section, text, name, tuple(related)) for section, text in texts if text]
    return said + said_of_others


def _phrasing(row):
    """What must be told apart from other objects' texts.

    Long texts that differ only in the object's own name or in an example call are the same
    boilerplate; a summary may well differ in nothing else ("A gamma continuous random variable").
    """
    if row.section not in ("description", "notes", "returns"):
        return row.text.lower().rstrip(".")
    own_name = row.owner.rpartition(".")[2]
    words = re.findall(r"\w+", re.sub(r"\([^()]*\)", "", row.text))
    return tuple(word.lower() for word in words if word != own_name and not word.isdigit())


def _merge(rows):
    """Make one row of equal texts, drop boilerplate and labels with too few rows.

    Returns the texts, their sections and their labels, the documented object first.
    """
    phrasings = [_phrasing(row) for row in rows]
    owners_of = {}
    for row, phrasing in zip(rows, phrasings, strict=True):
        owners_of.setdefault(phrasing, set()).add(row.owner)
    merged = {}  # text -> (its first row, owners, related); dicts are sets that keep their order
    for row, phrasing in zip(rows, phrasings, strict=True):
        if len(owners_of[phrasing]) <= _MAX_OWNERS:
            _, owners, related = merged.setdefault(row.text.lower().rstrip("."), (row, {}, {}))
            owners[row.owner] = None
            related.update(dict.fromkeys(row.related))
    entries = [
        (row, list(owners), [name for name in related if name not in owners])
        for row, owners, related in merged.values()
    ]
    while True:
        count = Counter(name for _, owners, related in entries for name in (*owners, *related))
        rare = {name for name, n_rows in count.items() if n_rows < _MIN_ROWS}
        if not rare:
            break
        # A row goes with the object that it documents; that may make other labels rare.
        entries = [
            (
                row,
                [name for name in owners if name not in rare],
                [name for name in related if name not in rare],
            )
            for row, owners, related in entries
            if not rare.issuperset(owners)
        ]
    return (
        [row.text for row, _, _ in entries],
        [row.section for row, _, _ in entries],
        [[*owners, *related] for _, owners, related in entries],
    )
