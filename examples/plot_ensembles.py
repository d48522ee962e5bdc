"""
============================================================
Ensembles and presets: precision compared with training time
============================================================

In each label tree, some labels are in clusters where they are hard to distinguish. Trees with
different seeds make errors on different labels, so the mean of their scores is more accurate. This
example shows the precision and training time of one to eight trees, and of the presets.
"""

# %%
# Load the data
# -------------
# The texts are parts of the documentation of NumPy, SciPy and scikit-learn. The labels are the
# functions and classes that they document.

from time import process_time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from skxmr import XRLinearClassifier, preset
from skxmr.datasets import load_api_docs
from skxmr.metrics import precision_at_k
from skxmr.text import TfidfVectorizer

texts, Y = load_api_docs(return_X_y=True)
train_texts, test_texts, Y_train, Y_test = train_test_split(texts, Y, test_size=0.2, random_state=0)
vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
X_train, X_test = vectorizer.fit_transform(train_texts), vectorizer.transform(test_texts)


def evaluate(n_seeds=3, **parameters):
    """Return P@1, P@5 and CPU seconds of the fit, averaged over seeds."""
    results = []
    for seed in range(n_seeds):
        start = process_time()
        model = XRLinearClassifier(random_state=seed, **parameters).fit(X_train, Y_train)
        seconds = process_time() - start
        ranking = model.predict_topk(X_test, k=5)
        precision = [precision_at_k(Y_test, ranking, k=k) for k in (1, 5)]
        results.append([*precision, seconds])
    return np.mean(results, axis=0)


# %%
# Increase the number of trees
# ----------------------------
# With ``max_leaf_size=20``, the tree of a few thousand labels has several levels. The seed alone
# changes P@1 by half a point, so each result is the mean of three seeds.

n_trees = [1, 2, 4, 8]
by_trees = np.array([evaluate(max_leaf_size=20, n_trees=n) for n in n_trees])
for n, (first, five, seconds) in zip(n_trees, by_trees, strict=True):
    print(f"n_trees={n}  P@1 {first:.3f}  P@5 {five:.3f}  fit {seconds:.2f} s")

# %%
# Compare the presets
# -------------------
# ``preset(name)`` returns keyword arguments of the classifier; you can override any of them. The
# preset "balanced" has three trees of two different shapes. The preset "best" has six.

by_preset = {"default": evaluate()}
for name in ("fast", "balanced", "best"):
    by_preset[name] = evaluate(**preset(name))
for name, (first, five, seconds) in by_preset.items():
    print(f"{name:<8}  P@1 {first:.3f}  P@5 {five:.3f}  fit {seconds:.2f} s")

# %%
# Plot precision and time
# -----------------------
# The second tree improves precision most. Training time, memory and prediction time increase with
# the number of trees. On the right, the best position is the top left corner; the gray line shows
# the ensembles from above.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for column, name, color, marker in [(0, "P@1", "#0072B2", "o"), (1, "P@5", "#E69F00", "s")]:
    gain = 100 * (by_trees[:, column] - by_trees[0, column])
    left.plot(n_trees, gain, color=color, marker=marker, label=name)
left.set_xscale("log", base=2)
left.set_xticks(n_trees, n_trees)
left.set(title="Improvement over one tree", xlabel="number of trees", ylabel="percentage points")
left.legend()

right.plot(by_trees[:, 2], by_trees[:, 1], color="0.7", marker=".", zorder=1)
for n, (_, five, seconds) in zip(n_trees, by_trees, strict=True):
    offset = {"xytext": (-6, 5), "ha": "right"} if n < 8 else {"xytext": (0, -14), "ha": "center"}
    label = "1 tree" if n == 1 else f"{n} trees"
    right.annotate(label, (seconds, five), textcoords="offset points", color="0.5", **offset)
for name, (_, five, seconds) in by_preset.items():
    right.scatter(seconds, five, color="#009E73", zorder=2)
    right.annotate(name, (seconds, five), xytext=(7, -5), textcoords="offset points")
right.set(title="Presets and ensembles", xlabel="training time (CPU seconds)", ylabel="P@5")
right.margins(x=0.15, y=0.15)
right.set_xlim(0, None)
for ax in (left, right):
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
