"""
===========================================
Improve rankings of rare labels (long tail)
===========================================

In extreme classification, most labels are rare. They are often the most useful predictions, but
they hardly influence precision. Propensity-scored precision gives rare labels a larger weight. Two
parameters improve it: ``propensity_weight`` at prediction and ``relevance`` in training.
"""

# %%
# Measure the label frequencies
# -----------------------------
# The texts are parts of the documentation of NumPy, SciPy and scikit-learn. The labels are the
# functions and classes that they document.

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from skxmr import XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.metrics import label_propensities, precision_at_k, psprecision_at_k
from skxmr.text import TfidfVectorizer

texts, Y = load_api_docs(return_X_y=True)
train_texts, test_texts, Y_train, Y_test = train_test_split(texts, Y, test_size=0.2, random_state=0)
vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
X_train, X_test = vectorizer.fit_transform(train_texts), vectorizer.transform(test_texts)

n_rows = np.bincount(Y_train.indices, minlength=Y_train.shape[1])
by_rows = np.sort(n_rows)[::-1]
head = np.searchsorted(np.cumsum(by_rows), Y_train.nnz / 2)
print(f"{head} of {len(n_rows)} labels have half of all (row, label) pairs")

# %%
# Estimate the propensities
# -------------------------
# The propensity of a label is the probability that it was assigned where it is correct (Jain,
# Prabhu and Varma, 2016). It is estimated from the number of rows: close to 1 for frequent labels,
# much smaller for rare labels. PSP@k divides each hit by the propensity of the label.

propensities = label_propensities(Y_train)

# %%
# Weight scores at prediction
# ---------------------------
# Scores are multiplied by (minimum propensity / propensity) to the power of ``propensity_weight``.
# You can change this parameter without training again.


def evaluate(model):
    ranking = model.predict_topk(X_test, k=5)
    precision = precision_at_k(Y_test, ranking, k=1)
    scored = psprecision_at_k(Y_test, ranking, k=5, propensities=propensities)
    return precision, scored, ranking[0]


model = XRLinearClassifier(branching_factor=64, n_jobs=-1, random_state=0).fit(X_train, Y_train)
weights = [0.0, 0.5, 1.0, 2.0, 3.0]
at_prediction = [evaluate(model.set_params(propensity_weight=weight)) for weight in weights]
for weight, (precision, scored, _) in zip(weights, at_prediction, strict=True):
    print(f"propensity_weight={weight:<4}  P@1 {precision:.3f}  PSP@5 {scored:.3f}")

# %%
# Weight labels in training
# -------------------------
# ``relevance`` is the cost of an error on a positive label. Inverse propensities, scaled to a mean
# of 1, increase the cost of errors on rare labels.

relevance = Y_train.astype(np.float64)
relevance.data = 1 / propensities[Y_train.indices]
relevance.data /= relevance.data.mean()
trained = XRLinearClassifier(branching_factor=64, n_jobs=-1, random_state=0)
trained.fit(X_train, Y_train, relevance=relevance)
in_training = evaluate(trained)
print(f"{'relevance':<22}  P@1 {in_training[0]:.3f}  PSP@5 {in_training[1]:.3f}")

# %%
# Compare the methods
# -------------------
# On the left, higher is better for rare labels, and further right is better for all labels. A small
# weight costs almost no P@1. A larger weight improves rare labels at the expense of P@1, and a very
# large weight lowers both. On the right, the fraction of true labels among the top five, by the
# number of training rows of the label.

bounds = [0, 2, 5, 10, 20, np.inf]
names = ["1-2", "3-5", "6-10", "11-20", "21+"]
rows, columns = Y_test.nonzero()


def recall_by_rows(top_labels):
    hit = (top_labels[rows] == columns[:, None]).any(axis=1)
    seen = n_rows[columns]
    return [hit[(seen > low) & (seen <= high)].mean() for low, high in pairwise(bounds)]


fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.3), layout="constrained")
left.plot(
    [p for p, _, _ in at_prediction],
    [s for _, s, _ in at_prediction],
    color="#0072B2",
    marker="o",
    label="propensity_weight",
)
for weight, (precision, scored, _) in zip(weights, at_prediction, strict=True):
    left.annotate(weight, (precision, scored), xytext=(6, 4), textcoords="offset points")
left.plot(
    *in_training[:2],
    color="#E69F00",
    marker="*",
    markersize=14,
    linestyle="none",
    label="relevance",
)
left.set(
    title="Precision of all labels and of rare labels",
    xlabel="P@1 (all labels)",
    ylabel="PSP@5 (rare labels)",
)
left.legend()
left.grid(alpha=0.3)

lines = [
    ("propensity_weight=0", at_prediction[0], "0.6"),
    ("propensity_weight=2", at_prediction[3], "#0072B2"),
    ("relevance", in_training, "#E69F00"),
]
places = np.arange(len(names))
for i, (name, (_, _, top_labels), color) in enumerate(lines):
    right.bar(places + 0.27 * (i - 1), recall_by_rows(top_labels), 0.25, color=color, label=name)
right.set_xticks(places, names)
right.set(
    title="True labels among the top five",
    xlabel="training rows per label",
    ylabel="recall",
    ylim=(0, 1),
)
right.legend()
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
