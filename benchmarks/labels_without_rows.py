"""Measure rankings with labels that have a text, but no training rows.

A part of the labels that have a text loses all training rows. The text of a label is the training
text with the same name; such texts of hidden labels are no training rows either. Lines: the
classifier alone, the nearest label text, label texts as additional training rows, and
`LabelTextClassifier` with several numbers of places.

    python benchmarks/labels_without_rows.py DIR                              # TF-IDF
    python benchmarks/labels_without_rows.py DIR --embeddings train.npy test.npy

DIR has Y_train.npz, Y_test.npz, labels.txt with a label per line, and train.txt and test.txt with a
text per line, which starts with the name of the row and " : ". A number in front of a label, such
as that of WordNet, is not part of its name.
"""

import argparse
import os
import re
import time
from collections import Counter
from pathlib import Path

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize
from sklearn.utils import gen_batches
from text_rows import read

from skxmr import XRLinearClassifier, make_text_classifier
from skxmr.metrics import precision_at_k
from skxmr.zero_shot import LabelTextClassifier

K = 10
BLOCK = 512
HIDDEN = 0.05
PLACES = ((), (10,), (9, 10), (8, 9, 10))
TEXT_WEIGHTS = (1.0, 0.1)


def find_label_texts(folder, texts):
    """Return the position in `texts` of the text of each label, or -1."""
    labels = (Path(folder) / "labels.txt").read_text(encoding="utf-8").splitlines()
    names = [re.sub(r"^[nv]\d{8} ", "", label) for label in labels]
    keys = [text.split(" : ")[0] for text in texts]
    counts, name_counts = Counter(keys), Counter(names)
    positions = {key: position for position, key in enumerate(keys)}
    is_unique = [counts[name] == 1 and name_counts[name] == 1 for name in names]
    return np.array(
        [positions[name] if unique else -1 for name, unique in zip(names, is_unique, strict=True)]
    )


def keep_columns(Y, is_kept):
    """Return the indicator with only some labels; the others have empty columns."""
    kept = sp.csr_array(Y.multiply(is_kept[None].astype(Y.dtype)))
    kept.eliminate_zeros()
    return kept


def stack(first, second):
    """Stack two matrices of rows."""
    return (
        np.vstack([first, second])
        if isinstance(first, np.ndarray)
        else sp.vstack([first, second], format="csr")
    )


def rank_by_text(rows, columns, X_test):
    """Rank all labels by the cosine of their texts and the row."""
    rows, X_test = normalize(rows), normalize(X_test)
    labels = np.empty((X_test.shape[0], K), dtype=np.int64)
    for block in gen_batches(X_test.shape[0], BLOCK):
        similarities = X_test[block] @ rows.T
        if sp.issparse(similarities):
            similarities = similarities.toarray()
        nearest = np.argpartition(-similarities, K, axis=1)[:, :K]
        order = np.argsort(-np.take_along_axis(similarities, nearest, axis=1), axis=1)
        labels[block] = columns[np.take_along_axis(nearest, order, axis=1)]
    return labels


def identity(columns, n_labels):
    """Return the indicator of one label per row."""
    entries = np.ones(len(columns), dtype=np.float32), (np.arange(len(columns)), columns)
    return sp.csr_array(entries, shape=(len(columns), n_labels))


def measure(labels, Y_test, is_hidden):
    """Return measures in percent: P@1, P@5 and R@10 of the other labels, and R@10 of the hidden.

    Recall is the fraction of all pairs of a row and a label that are found. The last value is the
    mean of the recall of each hidden label, in which frequent labels do not count more.
    """
    scores = np.broadcast_to(np.arange(K, 0.0, -1), labels.shape)
    found = labels >= 0
    indicator = sp.csr_array(
        (np.ones(found.sum()), (np.nonzero(found)[0], labels[found])), shape=Y_test.shape
    )
    values = []
    for k in (1, 5):
        values.append(precision_at_k(keep_columns(Y_test, ~is_hidden), (labels, scores), k=k))
    for part in (~is_hidden, is_hidden):
        true = keep_columns(Y_test, part)
        hits = indicator.multiply(true).sum(axis=0)
        values.append(hits.sum() / true.sum())
    frequencies = true.sum(axis=0)
    is_tested = frequencies > 0
    values.append(np.mean(hits[is_tested] / frequencies[is_tested]))
    return 100 * np.array(values)


def run(X, Y, X_test, Y_test, text_rows, is_training, is_hidden):
    """Yield the name, the quality and the CPU seconds of the fit of each method."""
    n_labels = Y.shape[1]
    columns = np.flatnonzero(text_rows >= 0)
    rows = X[text_rows[columns]]
    Y = keep_columns(Y, ~is_hidden)
    X_fit, Y_fit = X[is_training], Y[is_training]

    def fit(model, *arguments, **parameters):
        started = time.process_time()
        model.fit(*arguments, **parameters)
        return model, time.process_time() - started

    model, seconds = fit(XRLinearClassifier(random_state=0), X_fit, Y_fit)
    yield "classifier alone", model.predict_topk(X_test, K)[0], seconds
    yield "nearest label text", rank_by_text(rows, columns, X_test), 0.0
    own = identity(columns, n_labels)
    X_both, Y_both = stack(X_fit, rows), sp.vstack([Y_fit, own], format="csr")
    for weight in TEXT_WEIGHTS:
        weights = np.concatenate([np.ones(X_fit.shape[0]), np.full(len(columns), weight)])
        model, seconds = fit(
            XRLinearClassifier(random_state=0), X_both, Y_both, sample_weight=weights
        )
        yield f"label texts as rows of weight {weight:g}", model.predict_topk(X_test, K)[0], seconds
    label_rows = (
        sp.csr_array(own.T @ rows) if sp.issparse(rows) else (own.T @ rows).astype(rows.dtype)
    )
    model = LabelTextClassifier(XRLinearClassifier(random_state=0), label_rows, random_state=0)
    model, seconds = fit(model, X_fit, Y_fit)
    for places in PLACES:
        name = f"LabelTextClassifier, places={places}"
        yield name, model.set_params(places=places).predict_topk(X_test, K)[0], seconds


def main():
    """Print a table of the means over several choices of the hidden labels."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", help="folder of the data")
    parser.add_argument("--embeddings", nargs=2, help="arrays of the training and the test texts")
    parser.add_argument("--seeds", type=int, default=3, help="number of choices of hidden labels")
    args = parser.parse_args()
    (texts, Y), (test_texts, Y_test) = (read(args.folder, part) for part in ("train", "test"))
    Y, Y_test = (sp.csr_array(M != 0).astype(np.float32) for M in (Y, Y_test))
    text_rows = find_label_texts(args.folder, texts)
    results = {}
    for seed in range(args.seeds):
        candidates = np.random.default_rng(seed).permutation(np.flatnonzero(text_rows >= 0))
        is_hidden = np.zeros(Y.shape[1], dtype=bool)
        is_hidden[candidates[: round(HIDDEN * len(candidates))]] = True
        is_training = np.ones(len(texts), dtype=bool)
        is_training[text_rows[is_hidden]] = False
        if args.embeddings:
            X, X_test = (np.load(path) for path in args.embeddings)
        else:
            # Only words of training rows are features.
            vectorizer = make_text_classifier()[0].fit(texts[is_training])
            X, X_test = (vectorizer.transform(part) for part in (texts, test_texts))
        for name, labels, seconds in run(X, Y, X_test, Y_test, text_rows, is_training, is_hidden):
            values = [*measure(labels, Y_test, is_hidden), seconds]
            results.setdefault(name, []).append(values)
    print(f"{np.sum(text_rows >= 0)} of {Y.shape[1]} labels have a text, {is_hidden.sum()} hidden")
    print("| method | P@1 | P@5 | R@10 | R@10, hidden | mean over hidden labels | fit, CPU s |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, values in results.items():
        print(
            f"| {name} | " + " | ".join(f"{value:.1f}" for value in np.mean(values, axis=0)) + " |"
        )
    name = f"LabelTextClassifier, places={PLACES[2]}"
    shown = ", ".join(f"{value:.1f}" for value in np.array(results[name])[:, 3])
    print(f"{name}: R@10, hidden, of each choice: {shown}")


if __name__ == "__main__":
    main()
