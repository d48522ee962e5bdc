"""
=============
The long tail
=============

Most of very many labels are rare: they are what a search is for, and what precision hardly counts.
Propensity-scored precision weighs a label by how likely people are to forget it. Two parameters
serve it: one acts at prediction, one in training.
"""

# %%
# How long it is
# --------------
# Pieces of the documentation of numpy, scipy and scikit-learn, and what they document.

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split

from skxmr import XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.metrics import label_propensities, precision_at_k, psprecision_at_k

texts, Y = load_api_docs(return_X_y=True)
train_texts, test_texts, Y_train, Y_test = train_test_split(texts, Y, test_size=0.2, random_state=0)
vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
X_train, X_test = vectorizer.fit_transform(train_texts), vectorizer.transform(test_texts)

n_rows = np.bincount(Y_train.indices, minlength=Y_train.shape[1])
by_rows = np.sort(n_rows)[::-1]
head = np.searchsorted(np.cumsum(by_rows), Y_train.nnz / 2)
print(f"half of all positives are those of {head} of the {len(n_rows)} labels")

# %%
# Propensities
# ------------
# The propensity of a label is the estimated probability that somebody who should have given it did
# (Jain, Prabhu, Varma 2016). It is estimated from the number of its rows: near 1 for frequent
# labels, far less for rare ones. PSP@k divides each hit by it.

propensities = label_propensities(Y_train)

# %%
# At prediction
# -------------
# ``propensity_weight`` multiplies scores by (least propensity / propensity) to this power. Fit
# once, and change it as often as you like.


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
# In training
# -----------
# ``relevance`` is what an error on a positive costs. Inverse propensities, scaled to a mean of 1,
# make rare labels dearer where the models are made.

relevance = Y_train.astype(np.float64)
relevance.data = 1 / propensities[Y_train.indices]
relevance.data /= relevance.data.mean()
trained = XRLinearClassifier(branching_factor=64, n_jobs=-1, random_state=0)
trained.fit(X_train, Y_train, relevance=relevance)
in_training = evaluate(trained)
print(f"relevance={'':<14}  P@1 {in_training[0]:.3f}  PSP@5 {in_training[1]:.3f}")

# %%
# What it shows
# -------------
# On the left, up is better for rare labels, and right is better for all: a little weight costs next
# to nothing, more of it buys rare labels with the first label's precision, and too much serves
# nobody. On the right, the share of labels of test rows that are among the first five, by how many
# training rows they had.

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
left.set(title="All labels against rare labels", xlabel="P@1", ylabel="PSP@5")
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
    title="Found among the first five",
    xlabel="training rows of the label",
    ylabel="share",
    ylim=(0, 1),
)
right.legend()
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
