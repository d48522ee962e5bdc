"""
====================================
More trees, and the presets' bargain
====================================

Labels can be grouped in many ways, and each tree puts some label into company in which it is hard
to see. Trees of different seeds err on different labels; the mean of their scores errs less. Here
is what each further tree brings, what it costs, and where the presets lie.
"""

# %%
# Rows
# ----
# Pieces of the documentation of numpy, scipy and scikit-learn, and what they document.

from time import process_time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split

from skxmr import XRLinearClassifier, preset
from skxmr.datasets import load_api_docs
from skxmr.metrics import precision_at_k

texts, Y = load_api_docs(return_X_y=True)
train_texts, test_texts, Y_train, Y_test = train_test_split(texts, Y, test_size=0.2, random_state=0)
vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
X_train, X_test = vectorizer.fit_transform(train_texts), vectorizer.transform(test_texts)


def evaluate(n_seeds=3, **parameters):
    """Return mean P@1, P@5 and CPU seconds of the fit over seeds."""
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
# One tree, two, four, eight
# --------------------------
# Leaves of twenty labels give a few thousand labels a tree worth the name. A single run says
# little: the seed alone moves P@1 by half a point, so each row is the mean of three.

n_trees = [1, 2, 4, 8]
by_trees = np.array([evaluate(max_leaf_size=20, n_trees=n) for n in n_trees])
for n, (first, five, seconds) in zip(n_trees, by_trees, strict=True):
    print(f"{n} trees  P@1 {first:.3f}  P@5 {five:.3f}  fit {seconds:.2f} s")

# %%
# Presets
# -------
# ``preset(name)`` returns parameters to start from, as keyword arguments; any of them may be
# overridden. "balanced" has one wide tree of clusters of natural size, "best" several such trees,
# of two shapes.

by_preset = {"default": evaluate()}
for name in ("fast", "balanced", "best"):
    by_preset[name] = evaluate(**preset(name))
for name, (first, five, seconds) in by_preset.items():
    print(f"{name:<8}  P@1 {first:.3f}  P@5 {five:.3f}  fit {seconds:.2f} s")

# %%
# What it shows
# -------------
# The second tree brings most. Time of the fit, memory and time of a prediction grow with the number
# of trees. On the right, up is better and left is cheaper; the grey line is that of the trees
# above.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for column, name, color, marker in [(0, "P@1", "#0072B2", "o"), (1, "P@5", "#E69F00", "s")]:
    gain = 100 * (by_trees[:, column] - by_trees[0, column])
    left.plot(n_trees, gain, color=color, marker=marker, label=name)
left.set_xscale("log", base=2)
left.set_xticks(n_trees, n_trees)
left.set(title="Gain over one tree", xlabel="trees", ylabel="points of precision")
left.legend()

right.plot(by_trees[:, 2], by_trees[:, 1], color="0.7", marker=".", zorder=1)
for n, (_, five, seconds) in zip(n_trees, by_trees, strict=True):
    side = {"xytext": (-6, 5), "ha": "right"} if n < 8 else {"xytext": (0, -14), "ha": "center"}
    label = "1 tree" if n == 1 else f"{n} trees"
    right.annotate(label, (seconds, five), textcoords="offset points", color="0.5", **side)
for name, (_, five, seconds) in by_preset.items():
    right.scatter(seconds, five, color="#009E73", zorder=2)
    right.annotate(name, (seconds, five), xytext=(7, -5), textcoords="offset points")
right.set(title="Presets", xlabel="CPU seconds of the fit", ylabel="P@5")
right.margins(x=0.15, y=0.15)
right.set_xlim(0, None)
for ax in (left, right):
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
