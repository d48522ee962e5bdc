"""
=======================
Suggest tags for a text
=======================

This example trains on texts with lists of tags and suggests tags for new texts.
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
from sklearn.model_selection import train_test_split

from skxmr import make_text_classifier
from skxmr.datasets import load_api_docs
from skxmr.metrics import topk_scorer

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
# Train and evaluate
# ------------------
# The model accepts texts and lists of tags. It counts words and pairs of words. The top k
# suggestions are evaluated: precision is the fraction of the suggestions that are correct, and
# recall is the fraction of the tags of a text that are among the suggestions.

texts_train, texts_test, tags_train, tags_test = train_test_split(
    docs.data, tags, test_size=0.2, random_state=0
)
model = make_text_classifier(n_jobs=-1, random_state=0)
model.set_params(vectorizer__ngram_range=(1, 2)).fit(texts_train, tags_train)
print(f"{len(texts_train)} texts, {len(model.classes_)} tags")
for k in (1, 5, 10):
    precision = topk_scorer("precision", k=k)(model, texts_test, tags_test)
    recall = topk_scorer("recall", k=k)(model, texts_test, tags_test)
    print(f"top {k:>2}: precision {precision:.2f}, recall {recall:.2f}")

# %%
# Suggest tags for new texts
# --------------------------
# ``suggest`` returns pairs of a tag and its score for each text, best first. The texts below were
# written for this example.

new_texts = [
    "draw random numbers from a Poisson distribution",
    "solve a system of sparse linear equations",
    "group similar documents into clusters",
]
suggestions = model.suggest(new_texts, k=7)
for text, pairs in zip(new_texts, suggestions, strict=True):
    print(f"{text}: {', '.join(tag for tag, score in pairs)}")

# %%
# The bars show scores, which are not probabilities.
# :ref:`sphx_glr_gallery_plot_calibration.py` shows how to calibrate them and how to choose a
# threshold.

fig, axes = plt.subplots(1, 3, figsize=(11, 3.2), sharex=True, layout="constrained")
for ax, text, pairs in zip(axes, new_texts, suggestions, strict=True):
    best, scores = zip(*pairs, strict=True)
    ax.barh(best, scores, color="#0072B2")
    ax.invert_yaxis()
    ax.set_title(text, fontsize=9.5)
    ax.set(xlim=(0, 1), xlabel="score")
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
plt.show()
