"""
===============================================
Search API documentation with a text classifier
===============================================

This example finds the function that answers a question in plain words. NumPy, SciPy and
scikit-learn document several thousand functions and classes. Each of them is a label. Each part of
its documentation is a row, with this label and the labels of the objects under "See Also". The
classifier is trained on these rows and ranks the labels for a question.

To try your own questions, pass them on the command line, each in quotation marks::

    python plot_api_search.py "solve a sparse linear system" "inverse of a matrix"
"""

# %%
# Load the data
# -------------
# The docstrings come from the installed packages, so nothing is downloaded. A row has two or three
# labels, and half of the labels have at most eight rows.

import sys

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skxmr import XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.metrics import precision_at_k
from skxmr.text import TfidfVectorizer

docs = load_api_docs()
n_rows, n_labels = docs.target.shape
print(f"{n_rows} rows, {n_labels} labels, {docs.target.nnz / n_rows:.1f} labels per row")

# %%
# Define the model
# ----------------
# Features are TF-IDF weights of all sequences of four characters within words, so that "matrix" and
# "matrices" share features. ``min_df`` keeps its default of 1, because rare words are often names
# of functions. The classifier is less regularized than by default (``C``) and keeps smaller weights
# (``weight_threshold``): precision increases, and the model is still small. With
# ``branching_factor=64``, one level of clusters is enough for a few thousand labels.
#
# These settings were chosen by cross-validation on the training rows below. They reached a P@1 of
# 0.485, compared with 0.462 for words and 0.469 for words and pairs of words.

pipeline = make_pipeline(
    TfidfVectorizer(analyzer="char_wb", ngram_range=(4, 4), sublinear_tf=True, dtype=np.float32),
    XRLinearClassifier(
        branching_factor=64, C=2.0, weight_threshold=0.03, n_jobs=-1, random_state=0
    ),
)

# %%
# Evaluate on held-out rows
# -------------------------
# One fifth of the rows is held out. Other rows about the same objects are in the training data, so
# the precision measures whether a different wording finds a known object.
#
# ``predict_topk`` is the fastest way to get a ranking. It is a method of the classifier, not of the
# pipeline, so the texts are first transformed with the steps before the classifier,
# ``pipeline[:-1]``.

texts_train, texts_test, Y_train, Y_test, _, objects_test = train_test_split(
    docs.data, docs.target, docs.object_ids, test_size=0.2, random_state=0
)
pipeline.fit(texts_train, Y_train)
ranking = pipeline[-1].predict_topk(pipeline[:-1].transform(texts_test), k=5)

# Because most rows have fewer than five labels, even a perfect ranking has a P@5 below 1.
print(f"\nPrecision on {len(texts_test)} held-out rows (in parentheses: perfect ranking)")
for k in (1, 3, 5):
    perfect = np.minimum(np.diff(Y_test.indptr), k).mean() / k
    print(f"P@{k}: {precision_at_k(Y_test, ranking, k=k):.3f} ({perfect:.3f})")

# %%
# Answer questions
# ----------------
# The model that answers questions has the same settings and is trained on all rows.

questions = sys.argv[1:] or [
    "solve a sparse linear system",
    "singular value decomposition of a sparse matrix",
    "inverse of a matrix",
    "split data into train and test sets",
    "histogram of an array",
]
search = clone(pipeline).fit(docs.data, docs.target)

X = search[:-1].transform(questions)
n_known_features = np.diff(X.indptr)
top_labels, top_scores = search[-1].predict_topk(X, k=5)
for question, n_known, labels, scores in zip(
    questions, n_known_features, top_labels, top_scores, strict=True
):
    print(f"\n{question}")
    if n_known == 0:
        # Rows without features all get the same ranking, which is not an answer.
        print("    no known words in this question")
        continue
    is_label = labels >= 0  # -1 where the search found fewer than k labels
    for name, score in zip(docs.target_names[labels[is_label]], scores[is_label], strict=True):
        print(f"    {score:.2f}  {name}")

# %%
# Results for rare labels
# -----------------------
# Labels with few training rows are the most difficult. A held-out row counts as found if the object
# that it documents is among the top five. The figure groups the held-out rows by the number of
# training rows of this object. It requires matplotlib and is skipped if questions are given on the
# command line.

try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None

if plt is not None and not sys.argv[1:]:
    found = (ranking[0] == objects_test[:, None]).any(axis=1)
    n_train_rows = np.bincount(Y_train.indices, minlength=n_labels)[objects_test]
    group = np.searchsorted([0, 1, 2, 4, 8, 16, 32], n_train_rows)
    names = ["0", "1", "2", "3-4", "5-8", "9-16", "17-32", "33+"]
    recall = [found[group == g].mean() for g in range(len(names))]

    fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    bars = ax.bar(names, recall, color="#0072B2")
    ax.bar_label(bars, [f"{value:.0%}" for value in recall], padding=2)
    ax.set(
        xlabel="training rows per object",
        ylabel="fraction of held-out rows found",
        title="Documented object among the top five",
        ylim=(0, 1),
    )
    ax.spines[["top", "right"]].set_visible(False)
    # Without a display, plt.show() would only print a warning.
    if fig.canvas.required_interactive_framework:
        plt.show()
