"""
===================================================
Which function does that? Search an API by question
===================================================

numpy, scipy and scikit-learn document several thousand functions and classes. Here each of them is
a label, and each piece of its documentation is a row that has this label and those of the objects
under See Also. A classifier trained on such rows ranks the functions that answer a question in
plain words.

Ask your own questions on the command line, each one in quotation marks::

    python plot_api_search.py "solve a sparse linear system" "inverse of a matrix"
"""

# %%
# The data
# --------
# The docstrings come from the packages installed here, so nothing is downloaded. A row has but two
# or three labels, and half of the labels have no more than eight rows.

import sys

import numpy as np
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skxmr import XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.metrics import precision_at_k

docs = load_api_docs()
n_rows, n_labels = docs.target.shape
print(f"{n_rows} rows, {n_labels} labels, {docs.target.nnz / n_rows:.1f} labels per row")

# %%
# The model
# ---------
# Texts become TF-IDF weights of all sequences of four characters within words, which see what
# "matrix" and "matrices" share. ``min_df`` stays 1: a rare word is often the very name of a thing.
# The classifier fits closer than by default (``C``) and keeps smaller weights, as there is memory
# to spare; with a few thousand labels, one level of clusters will do.
#
# All this was chosen by cross-validation on the training rows below, where it reached a P@1 of
# 0.485; words instead of characters reached 0.462, words with pairs of words 0.469.

pipeline = make_pipeline(
    TfidfVectorizer(analyzer="char_wb", ngram_range=(4, 4), sublinear_tf=True, dtype=np.float32),
    XRLinearClassifier(
        branching_factor=64, C=2.0, weight_threshold=0.03, n_jobs=-1, random_state=0
    ),
)

# %%
# How good is it?
# ---------------
# A fifth of the rows is held out. Other rows about the same objects remain for training, so this
# asks whether another wording finds an object that the model knows.
#
# ``predict_topk`` is the fast way to a ranking and belongs to the classifier, not to the pipeline:
# the steps before it, ``pipeline[:-1]``, prepare the texts.

texts_train, texts_test, Y_train, Y_test, _, objects_test = train_test_split(
    docs.data, docs.target, docs.object_ids, test_size=0.2, random_state=0
)
pipeline.fit(texts_train, Y_train)
ranking = pipeline[-1].predict_topk(pipeline[:-1].transform(texts_test), k=5)

# Most rows have fewer than five labels, so that even a perfect ranking has no precision of 1.
print(f"\nPrecision on {len(texts_test)} held-out rows (and of a perfect ranking)")
for k in (1, 3, 5):
    perfect = precision_at_k(Y_test, Y_test, k=k)
    print(f"P@{k}: {precision_at_k(Y_test, ranking, k=k):.3f} ({perfect:.3f})")

# %%
# Ask it
# ------
# The precision above belongs to the model of the training rows. To answer questions, a model with
# the same settings learns from all rows; nothing is measured with it.

questions = sys.argv[1:] or [
    "solve a sparse linear system",
    "singular value decomposition of a sparse matrix",
    "inverse of a matrix",
    "split data into train and test sets",
    "histogram of an array",
]
search = clone(pipeline).fit(docs.data, docs.target)

X = search[:-1].transform(questions)
n_features_seen = np.diff(X.indptr)
top_labels, top_scores = search[-1].predict_topk(X, k=5)
for question, n_seen, labels, scores in zip(
    questions, n_features_seen, top_labels, top_scores, strict=True
):
    print(f"\n{question}")
    if n_seen == 0:
        # A row without features gets the same ranking whatever was asked.
        print("    nothing in the documentation looks like these words")
        continue
    for name, score in zip(docs.target_names[labels], scores, strict=True):
        print(f"    {score:.2f}  {name}")

# %%
# Objects that few rows describe
# ------------------------------
# The long tail is what makes many labels hard. Count a held-out row as found if the object that it
# documents is among the first five, and group the rows by how many training rows this object has.
# The figure needs matplotlib; a search from the command line goes without.

try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None

if plt is not None and not sys.argv[1:]:
    found = (ranking[0] == objects_test[:, None]).any(axis=1)
    n_train_rows = np.bincount(Y_train.indices, minlength=n_labels)[objects_test]
    group = np.searchsorted([0, 1, 2, 4, 8, 16, 32], n_train_rows)
    names = ["0", "1", "2", "3-4", "5-8", "9-16", "17-32", "33+"]
    shares = [found[group == g].mean() for g in range(len(names))]

    fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    bars = ax.bar(names, shares, color="#0072B2")
    ax.bar_label(bars, [f"{share:.0%}" for share in shares], padding=2)
    ax.set(
        xlabel="training rows of the object",
        ylabel="share of held-out rows found",
        title="Is the documented object among the first five?",
        ylim=(0, 1),
    )
    ax.spines[["top", "right"]].set_visible(False)
    # Backends that draw to files have nothing to show, and say so in a warning.
    if fig.canvas.required_interactive_framework:
        plt.show()
