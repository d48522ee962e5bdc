"""
=======================
Suggest tags for a text
=======================

This example trains on texts with lists of tags and suggests tags for new texts. Tags are words,
but the labels of the classifier are columns. ``MultiLabelBinarizer`` converts tags to columns and
back.
"""

# %%
# Load texts and tags
# -------------------
# The texts are parts of the documentation of NumPy, SciPy and scikit-learn. The tags of a text are
# the words in the names of the objects that it documents and refers to. For example,
# ``scipy.sparse.linalg.spsolve`` has the tags "scipy", "sparse", "linalg" and "spsolve", and
# ``LinearSVC`` has the tags "linear" and "svc". To use your own data, replace ``docs.data`` by a
# list of texts and ``tags`` by the list of tags of each text.

import re
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer

from skxmr import XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.metrics import precision_at_k, recall_at_k

docs = load_api_docs()


def split_name(name):
    """Split a name into words at dots, underscores and capitals."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+\d*", name)
    return {word.lower() for word in words if len(word) > 1}


tags_of_label = [split_name(name) for name in docs.target_names]
Y = docs.target
tags = [
    set().union(*(tags_of_label[label] for label in Y.indices[start:end]))
    for start, end in zip(Y.indptr[:-1], Y.indptr[1:], strict=True)
]
# Tags with only one or two rows are removed: they cannot be in both training and test data.
frequent = {tag for tag, n in Counter(t for row in tags for t in row).items() if n >= 3}
tags = [sorted(row & frequent) for row in tags]
print(docs.data[0], "->", tags[0])

# %%
# Convert tags to columns
# -----------------------
# The binarizer is fitted on all tags before the split, so that each tag has a column. Set
# ``sparse_output=True``, otherwise the indicator is dense and needs memory for rows times tags.

binarizer = MultiLabelBinarizer(sparse_output=True)
Y = binarizer.fit_transform(tags)
print(f"{Y.shape[0]} texts, {Y.shape[1]} tags, {Y.nnz / Y.shape[0]:.1f} tags per text")

texts_train, texts_test, Y_train, Y_test = train_test_split(
    docs.data, Y, test_size=0.2, random_state=0
)

# %%
# Train and evaluate
# ------------------
# The top k suggestions are evaluated. Precision is the fraction of the suggestions that are
# correct. Recall is the fraction of the tags of a text that are among the suggestions.

model = make_pipeline(
    TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), dtype=np.float32),
    XRLinearClassifier(n_jobs=-1, random_state=0),
)
model.fit(texts_train, Y_train)
vectorizer, classifier = model
ranking = classifier.predict_topk(vectorizer.transform(texts_test), k=10)
for k in (1, 5, 10):
    precision, recall = precision_at_k(Y_test, ranking, k=k), recall_at_k(Y_test, ranking, k=k)
    print(f"top {k:>2}: precision {precision:.2f}, recall {recall:.2f}")

# %%
# Suggest tags for new texts
# --------------------------
# ``predict_topk`` returns columns and scores, best first. ``binarizer.classes_`` has the tag of
# each column. The column is -1 where the search found fewer than k tags. The texts below were
# written for this example.

new_texts = [
    "draw random numbers from a Poisson distribution",
    "solve a system of sparse linear equations",
    "group similar documents into clusters",
]
labels, scores = classifier.predict_topk(vectorizer.transform(new_texts), k=7)
suggestions = [binarizer.classes_[row[row >= 0]] for row in labels]
for text, best in zip(new_texts, suggestions, strict=True):
    print(f"{text}: {', '.join(best)}")

# %%
# The bars show scores, which are not probabilities.
# :ref:`sphx_glr_gallery_plot_calibration.py` shows how to calibrate them and how to choose a
# threshold.

fig, axes = plt.subplots(1, 3, figsize=(11, 3.2), sharex=True, layout="constrained")
for ax, text, best, row in zip(axes, new_texts, suggestions, scores, strict=True):
    ax.barh(best, row[: len(best)], color="#0072B2")
    ax.invert_yaxis()
    ax.set_title(text, fontsize=9.5)
    ax.set(xlim=(0, 1), xlabel="score")
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
plt.show()
