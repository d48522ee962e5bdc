"""`load_api_docs`: contents, reproducibility, and whether a model can learn from it."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import normalize

from skxmr.datasets import _docstring_text, _public_objects, load_api_docs

QUESTIONS = {
    "solve a sparse linear system": {"scipy.sparse.linalg.spsolve"},
    "singular value decomposition of a sparse matrix": {"scipy.sparse.linalg.svds"},
    "inverse of a matrix": {"numpy.linalg.inv", "scipy.linalg.inv"},
    "split data into train and test sets": {"sklearn.model_selection.train_test_split"},
    "histogram of an array": {"numpy.histogram"},
    "principal component analysis": {"sklearn.decomposition.PCA"},
    "area under the ROC curve": {"sklearn.metrics.roc_auc_score"},
    "mean squared error": {"sklearn.metrics.mean_squared_error"},
    "design a butterworth filter": {"scipy.signal.butter"},
    "cumulative sum": {"numpy.cumsum"},
}


@pytest.fixture(scope="module")
def docs():
    return load_api_docs()


def get_labels(docs, row):
    start, stop = docs.target.indptr[[row, row + 1]]
    return set(docs.target_names[docs.target.indices[start:stop]].tolist())


def test_bunch_has_documented_shapes_and_types(docs):
    n_rows, n_labels = docs.target.shape
    assert n_rows > 10_000
    assert n_labels > 3_000
    assert len(docs.data) == len(docs.object_ids) == len(docs.sections) == n_rows
    assert all(type(text) is str for text in docs.data)
    assert docs.target.format == "csr"
    assert docs.target.dtype == np.int32
    assert docs.target.has_canonical_format
    assert np.all(docs.target.data == 1)
    assert docs.target_names.shape == (n_labels,)
    assert docs.target_names.tolist() == sorted(set(docs.target_names.tolist()))
    assert docs.object_ids.dtype == np.int32
    sections = {"summary", "description", "notes", "returns", "see also", "listing", "name"}
    assert set(docs.sections.tolist()) == sections
    assert docs.versions["numpy"] == np.__version__
    assert f"{n_labels}" in docs.DESCR
    # The documented object is one of the labels.
    assert np.all(docs.target[np.arange(n_rows), docs.object_ids] == 1)


def test_return_X_y_returns_data_and_target(monkeypatch):
    monkeypatch.setattr(_public_objects, "NAMESPACES", ("numpy.linalg",))
    docs = load_api_docs()
    data, target = load_api_docs(return_X_y=True)
    assert data == docs.data
    assert target.nnz
    assert (target != docs.target).nnz == 0
    with pytest.raises(TypeError, match="return_X_y"):
        load_api_docs(return_X_y="yes")


def test_labels_are_public_names_of_documented_objects(docs):
    namespaces = sorted(_public_objects.NAMESPACES, key=len, reverse=True)
    for name in docs.target_names.tolist():
        assert not any(part.startswith("_") or part == "tests" for part in name.split("."))
        namespace = next(each for each in namespaces if name.startswith(f"{each}."))
        obj = importlib.import_module(namespace)
        for part in name.removeprefix(f"{namespace}.").split("."):
            obj = getattr(obj, part)
        assert obj.__doc__


def test_labels_include_only_canonical_names(docs):
    names = set(docs.target_names.tolist())
    assert names >= {
        "numpy.linalg.norm",
        "numpy.absolute",
        "numpy.linalg.LinAlgError",
        "numpy.random.Generator.normal",
        "scipy.sparse.linalg.spsolve",
        "scipy.stats.norm",
        "scipy.special.gammaln",
        "sklearn.svm.LinearSVC",
        "sklearn.clone",
        "sklearn.metrics.mean_squared_error",
    }
    assert not names & {
        "numpy.abs",
        "scipy.linalg.LinAlgError",
        "sklearn.base.clone",
        "sklearn.svm.SVC.fit",
        "sklearn.svm.SVC.get_params",
    }


def test_labels_include_see_also(docs):
    row = docs.data.index("Singular Value Decomposition.")
    assert get_labels(docs, row) >= {"numpy.linalg.svd", "scipy.linalg.svd"}
    row = docs.data.index("Split arrays or matrices into random train and test subsets.")
    assert docs.sections[row] == "summary"
    assert docs.target_names[docs.object_ids[row]] == "sklearn.model_selection.train_test_split"


def test_texts_are_distinct_and_have_no_markup(docs):
    assert len({text.lower() for text in docs.data}) == len(docs.data)
    for markup in (">>>", ":func:", ":math:", "``", ".. ", "http://"):
        assert sum(markup in text for text in docs.data) <= len(docs.data) // 1000, markup
    assert all("\n" not in text and len(text) > 6 for text in docs.data)
    # Boilerplate that occurs in hundreds of objects is removed.
    assert not any("Get parameters for this estimator" in text for text in docs.data)
    assert sum("in the standardized form" in text for text in docs.data) < 5


def test_labels_have_training_rows_in_a_random_split(docs):
    frequency = np.bincount(docs.target.indices)
    assert frequency.min() == 2
    train, test = train_test_split(docs.target, test_size=0.2, random_state=0)
    has_training_rows = np.isin(np.unique(test.indices), train.indices)
    assert has_training_rows.mean() > 0.97


def run_python(code, *options, **env):
    root = Path(importlib.import_module("skxmr").__file__).parents[1]
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env={**os.environ, **env},
        cwd=root,
        capture_output=True,
        check=False,
        text=True,
    )


@pytest.mark.slow(reason="reads all docstrings again in another process")
def test_data_is_equal_in_another_process(docs):
    # The process has another hash seed, raises warnings as errors and enables experimental classes.
    # Test suites must not be imported.
    code = """
import json, sys
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer
from skxmr.datasets import load_api_docs
docs = load_api_docs()
unwanted = {"tests", "conftest", "setup", "distutils"}
imported = [name for name in sys.modules if unwanted & set(name.split(".")[1:])]
indices = docs.target.indices.tolist()
json.dump([docs.data, docs.target_names.tolist(), indices, imported], sys.stdout)
"""
    process = run_python(code, "-W", "error", PYTHONHASHSEED="12345")
    assert process.returncode == 0, process.stderr
    data, target_names, indices, imported = json.loads(process.stdout)
    assert data == docs.data
    assert target_names == docs.target_names.tolist()
    assert indices == docs.target.indices.tolist()
    assert imported == []


@pytest.mark.slow(reason="python -OO compiles all imported modules")
def test_load_raises_without_docstrings():
    process = run_python("from skxmr.datasets import load_api_docs as load; load()", "-OO")
    assert "RuntimeError: load_api_docs needs docstrings" in process.stderr


def test_namespaces_that_cannot_be_imported_are_skipped(monkeypatch, tmp_path):
    (tmp_path / "broken_module.py").write_text("raise RuntimeError('needs a display')")
    monkeypatch.syspath_prepend(tmp_path)
    spaces = ("numpy.linalg", "numpy.nowhere", "broken_module", "scipy.linalg")
    monkeypatch.setattr(_public_objects, "NAMESPACES", spaces)
    objects = _public_objects.PublicObjects()
    assert sorted(objects.namespaces) == ["numpy.linalg", "scipy.linalg"]
    names = load_api_docs().target_names.tolist()
    assert {"numpy.linalg.inv", "scipy.linalg.inv"} <= set(names)


def test_resolve_finds_objects_of_see_also_names(monkeypatch):
    spaces = ("numpy", "numpy.linalg", "scipy.linalg", "scipy.sparse.linalg")
    monkeypatch.setattr(_public_objects, "NAMESPACES", spaces)
    objects = _public_objects.PublicObjects()
    for name, within, expected in [
        ("norm", "numpy.linalg.inv", "numpy.linalg.norm"),
        ("norm", "scipy.linalg.inv", "scipy.linalg.norm"),
        ("linalg.norm", "numpy.dot", "numpy.linalg.norm"),
        ("numpy.abs", "scipy.linalg.inv", "numpy.absolute"),
        ("np.dot()", "scipy.linalg.inv", "numpy.dot"),
        ("ndarray.sum", "numpy.sum", "numpy.ndarray.sum"),
        ("spsolve", "scipy.linalg.solve", "scipy.sparse.linalg.spsolve"),
        ("norm", "scipy.stats.zscore", None),  # scipy has two objects with this name
        ("no_such_thing", "numpy.dot", None),
        ("numpy", "numpy.dot", None),
    ]:
        assert objects.resolve(name, within) == expected, name


@pytest.fixture(scope="module")
def features(docs):
    vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), dtype=np.float32)
    return vectorizer, vectorizer.fit_transform(docs.data)


def test_centroids_find_objects_of_held_out_texts(docs, features):
    # A nearest centroid classifier.
    _, X = features
    train, test = train_test_split(np.arange(X.shape[0]), test_size=0.2, random_state=0)
    target = docs.target.astype(np.float32)
    centroids = normalize(target[train].T @ X[train])
    best = np.concatenate(
        [(X[rows] @ centroids.T).toarray().argmax(axis=1) for rows in np.array_split(test, 10)]
    )
    assert np.mean(np.asarray(target[test, best])) > 0.35


def test_centroids_answer_questions(docs, features):
    vectorizer, X = features
    centroids = normalize(docs.target.astype(np.float32).T @ X)
    scores = (vectorizer.transform(QUESTIONS) @ centroids.T).toarray()
    answers = docs.target_names[np.argsort(-scores, axis=1)[:, :10]]
    missed = {
        question: top[:5].tolist()
        for (question, correct), top in zip(QUESTIONS.items(), answers, strict=True)
        if correct.isdisjoint(top.tolist())
    }
    assert not missed


EXAMPLE = """
    solve_it(a, b, *,
             c=1) -> x

    Solve a linear equation :math:`a x = b` for *one* right side.

    Uses :func:`~scipy.linalg.lu` and the ``LAPACK`` routine `gesv <https://x.org>`_ [1]_. It
    is given by:

    .. math::

        x = a^{-1} b

    .. versionadded:: 1.0
        Not prose at all, and of no use.

    .. note:: Matrices should be square.

    Call it as::

        solve_it(eye, ones) and so on

    =====  =======
    Value  Meaning words
    =====  =======

    - first choice of solver
    - second choice of solver

    >>> solve_it(1, 2)
    some words of output

    Parameters
    ----------
    a : array
        Square matrix of coefficients.

        More about the matrix.
    b, c : array
    d
        Final parameter, seldom given.

    See Also
    --------
    inv, np.linalg.pinv : Compute the
        inverse of a matrix.
    :func:`scipy.linalg.lstsq`
    :obj:`~scipy.linalg.svd`: Singular values.
"""


def test_split_sections_and_list_functions_keep_only_prose():
    sections = _docstring_text.split_sections(EXAMPLE)
    assert list(sections) == ["", "parameters", "see also"]
    assert _docstring_text.list_paragraphs(sections[""]) == [
        "Solve a linear equation for one right side.",
        "Uses lu and the LAPACK routine gesv. It is given by",
        "Matrices should be square.",
        "first choice of solver",
        "second choice of solver",
    ]
    assert _docstring_text.list_definitions(sections["parameters"]) == [
        "Square matrix of coefficients.",
        "Final parameter, seldom given.",
    ]
    assert _docstring_text.list_see_also(sections["see also"]) == [
        (("inv", "np.linalg.pinv"), "Compute the inverse of a matrix."),
        (("scipy.linalg.lstsq",), ""),
        (("scipy.linalg.svd",), "Singular values."),
    ]


@pytest.mark.parametrize(
    ("markup", "plain"),
    [
        ("Same as :func:`~numpy.linalg.norm`.", "Same as norm."),
        ("Same as :py:func:`numpy.linalg.norm`.", "Same as numpy.linalg.norm."),
        ("`~scipy.fft` and ``x[0]`` and `name`", "fft and x[0] and name"),
        ("see :ref:`the guide <user_guide>`", "see the guide"),
        ("a **bold** word, *two words*, 2**n and a*b*c", "a bold word, two words, 2**n and a*b*c"),
        ("as |Estimator| says\n   in [2]_ , [Knuth]_", "as says in,"),
        ("at https://example.org/a_(b) or <http://x>", "at or"),
    ],
)
def test_clean_markup_removes_inline_markup(markup, plain):
    assert _docstring_text.clean_markup(markup) == plain


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sklearn.model_selection.train_test_split", "train test split"),
        ("sklearn.neighbors.KernelDensity", "kernel density"),
        ("sklearn.linear_model.LogisticRegressionCV", "logistic regression cv"),
        ("numpy.histogram2d", ""),
        ("numpy.linalg.inv", ""),
        ("scipy.special.y0_zeros", ""),
    ],
)
def test_split_name_returns_words(name, words):
    assert _docstring_text.split_name(name) == words


def test_list_members_reads_module_docstring():
    module = """Solvers

    solve - Solve a *linear* system
       inv -- Compute the inverse
    not_one: of these
    """
    assert _docstring_text.list_members(module) == [
        ("solve", "Solve a linear system"),
        ("inv", "Compute the inverse"),
    ]
