"""
===========================
Suggest tags, by their name
===========================

A text comes with a list of tags; a new text wants suggestions. Tags are words, the classifier's
labels are columns: ``MultiLabelBinarizer`` goes from one to the other and back, and stays sparse.
"""

# %%
# Texts and tags
# --------------
# The texts are pieces of the documentation of numpy, scipy and scikit-learn. Their tags are the
# words in the names of what they document and refer to: ``scipy.sparse.linalg.spsolve`` gives
# "scipy", "sparse", "linalg" and "spsolve", ``LinearSVC`` gives "linear" and "svc". Your own data
# would be two columns: the text, and the list of its tags.

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


def words(name):
    """Split a name at dots, underscores and capitals."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+\d*", name)
    return {part.lower() for part in parts if len(part) > 1}


tags_of_label = [words(name) for name in docs.target_names]
Y = docs.target
tags = [
    set().union(*(tags_of_label[label] for label in Y.indices[start:end]))
    for start, end in zip(Y.indptr[:-1], Y.indptr[1:], strict=True)
]
# A tag of one or two rows cannot be learnt and tested.
frequent = {tag for tag, n in Counter(t for row in tags for t in row).items() if n >= 3}
tags = [sorted(row & frequent) for row in tags]
print(docs.data[0], "->", tags[0])

# %%
# Tags to columns
# ---------------
# The binarizer sees all tags before the split, so that each has its column. ``sparse_output`` is
# what keeps many tags affordable.

names = MultiLabelBinarizer(sparse_output=True)
Y = names.fit_transform(tags)
print(f"{Y.shape[0]} texts, {Y.shape[1]} tags, {Y.nnz / Y.shape[0]:.1f} tags per text")

texts_train, texts_test, Y_train, Y_test = train_test_split(
    docs.data, Y, test_size=0.2, random_state=0
)

# %%
# Learn and judge
# ---------------
# Suggestions are judged by the first few: how many of them are right (precision), and how many of
# the text's tags are among them (recall).

model = make_pipeline(
    TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), dtype=np.float32),
    XRLinearClassifier(n_jobs=-1, random_state=0),
)
model.fit(texts_train, Y_train)
vectorizer, classifier = model
ranking = classifier.predict_topk(vectorizer.transform(texts_test), k=10)
for k in (1, 5, 10):
    precision, recall = precision_at_k(Y_test, ranking, k=k), recall_at_k(Y_test, ranking, k=k)
    print(f"first {k:>2}: precision {precision:.2f}, recall {recall:.2f}")

# %%
# Back to names
# -------------
# ``predict_topk`` gives columns and scores, best first; ``names.classes_`` has the tag of each
# column. The texts below are nobody's documentation.

new_texts = [
    "draw random numbers from a Poisson distribution",
    "solve a system of sparse linear equations",
    "group similar documents into clusters",
]
labels, scores = classifier.predict_topk(vectorizer.transform(new_texts), k=7)
suggestions = names.classes_[labels]
for text, row in zip(new_texts, suggestions, strict=True):
    print(f"{text}: {', '.join(row)}")

# %%
# A bar is a score, not yet a probability: :ref:`sphx_glr_gallery_plot_calibration.py` makes it one,
# and says where to cut.

fig, axes = plt.subplots(1, 3, figsize=(11, 3.2), sharex=True, layout="constrained")
for ax, text, row, row_scores in zip(axes, new_texts, suggestions, scores, strict=True):
    ax.barh(row, row_scores, color="#0072B2")
    ax.invert_yaxis()
    ax.set_title(text, fontsize=9.5)
    ax.set(xlim=(0, 1), xlabel="score")
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
plt.show()
