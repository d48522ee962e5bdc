"""Compare skxmr with one-vs-rest classifiers of scikit-learn on data that need no download.

The data are the definitions of `EXAMPLE_CSV` and the documentation of `load_api_docs`; a fifth of
the rows is held out. Labels without training rows are left out: `OneVsRestClassifier` gives them
the score 0, which ranks them above most other labels. Times are CPU seconds of one thread.

    OMP_NUM_THREADS=1 python benchmarks/one_vs_rest.py
"""

import pickle
import time

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.svm import LinearSVC

from skxmr import XRLinearClassifier, make_text_classifier
from skxmr.datasets import EXAMPLE_CSV, load_api_docs, load_texts
from skxmr.metrics import precision_at_k


def load_definitions():
    """Return texts and a sparse indicator of the definitions."""
    texts, topics = load_texts(
        EXAMPLE_CSV, text=["word", "definition"], labels="topics", separator=";"
    )
    return texts, MultiLabelBinarizer(sparse_output=True).fit_transform(topics)


def measure(name, model, score, X_train, Y_train, X_test, Y_test):
    """Fit, predict and print one line of results."""
    start = time.process_time()
    model.fit(X_train, Y_train)
    fitted = time.process_time()
    scores = score(model, X_test)
    predicted = time.process_time()
    print(
        f"{name:16} P@1 {100 * precision_at_k(Y_test, scores, k=1):.1f}"
        f"  P@5 {100 * precision_at_k(Y_test, scores, k=5):.1f}"
        f"  fit {fitted - start:.2f} s"
        f"  prediction {1e6 * (predicted - fitted) / X_test.shape[0]:.0f} us per row"
        f"  pickle {len(pickle.dumps(model)) / 1e6:.1f} MB",
        flush=True,
    )


def main():
    """Measure all models on both data sets."""
    sets = {
        "definitions": load_definitions(),
        "API documentation": load_api_docs(return_X_y=True),
    }
    for name, (texts, Y) in sets.items():
        texts_train, texts_test, Y_train, Y_test = train_test_split(
            texts, Y, test_size=0.2, random_state=0
        )
        vectorizer = make_text_classifier()[0]
        X_train, X_test = vectorizer.fit_transform(texts_train), vectorizer.transform(texts_test)
        trained = np.flatnonzero(Y_train.sum(axis=0))
        n_left_out = int(Y_test.sum() - Y_test[:, trained].sum())
        data = (X_train, Y_train[:, trained], X_test, Y_test[:, trained])
        n_labels = len(trained)
        print(f"{name}: {X_train.shape} and {X_test.shape[0]} test rows, {n_labels} labels;")
        print(f"without training rows: {Y.shape[1] - n_labels} labels, {n_left_out} test pairs")

        def rank(model, X):
            return model.predict_topk(X, k=5)

        for _ in range(2):  # the first run loads libraries
            measure("default", XRLinearClassifier(random_state=0), rank, *data)
        one_leaf = XRLinearClassifier(max_leaf_size=n_labels, random_state=0)
        measure("one leaf", one_leaf, rank, *data)
        one_vs_rest = OneVsRestClassifier(LinearSVC(random_state=0))
        measure("one-vs-rest", one_vs_rest, lambda model, X: model.decision_function(X), *data)


if __name__ == "__main__":
    main()
