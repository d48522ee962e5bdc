"""
======================
Write a custom matcher
======================

The matcher finds the clusters that contain the labels of a row. Any multilabel classifier with
``predict_proba`` can be used as a matcher. This example writes a matcher that averages linear
models and nearest neighbors, and evaluates it.
"""

# %%
# Load the data
# -------------
# The texts are parts of the documentation of NumPy, SciPy and scikit-learn. The labels are the
# functions and classes that they document.

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import train_test_split

from skxmr import XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.matching import NearestNeighborsMatcher
from skxmr.metrics import precision_at_k
from skxmr.text import TfidfVectorizer

texts, Y = load_api_docs(return_X_y=True)
train_texts, test_texts, Y_train, Y_test = train_test_split(texts, Y, test_size=0.2, random_state=0)
vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
X_train, X_test = vectorizer.fit_transform(train_texts), vectorizer.transform(test_texts)

# %%
# Define the matcher
# ------------------
# ``fit`` takes the rows ``X`` and ``M``, an indicator of the clusters of each row. ``M`` is dense
# if it is small, otherwise sparse. ``predict_proba`` returns a probability for each row and
# cluster, as a dense or sparse matrix. This matcher is a meta-estimator that clones the matchers it
# averages. ``XRLinearClassifier`` is a multilabel classifier, so it can be one of them.


class MeanOfMatchers(ClassifierMixin, BaseEstimator):
    """Average the probabilities of several matchers."""

    def __init__(self, matchers):
        self.matchers = matchers

    def fit(self, X, M):
        self.classes_ = np.arange(M.shape[1])
        self.matchers_ = [clone(matcher).fit(X, sp.csr_array(M)) for matcher in self.matchers]
        return self

    def predict_proba(self, X):
        return sum(matcher.predict_proba(X) for matcher in self.matchers_) / len(self.matchers_)


linear = XRLinearClassifier(beam_width=None, random_state=0)
neighbors = NearestNeighborsMatcher(30)
matchers = {
    "linear models": linear,
    "nearest neighbors": neighbors,
    "mean of both": MeanOfMatchers([linear, neighbors]),
}

# %%
# Use the matcher in the classifier
# ---------------------------------
# All classifiers have the same tree and the same models of the labels. Only the matcher differs.

models = {}
for name, matcher in matchers.items():
    model = XRLinearClassifier(max_leaf_size=20, matcher=matcher, random_state=0)
    models[name] = model.fit(X_train, Y_train)
    ranking = model.predict_topk(X_test, k=5)
    first, five = (precision_at_k(Y_test, ranking, k=k) for k in (1, 5))
    print(f"{name:<17} P@1 {first:.3f}  P@5 {five:.3f}")

# %%
# Evaluate the matcher alone
# --------------------------
# A label cannot be predicted if the beam does not contain its cluster. The recall of a matcher is
# the fraction of true labels that are in the top clusters of their row. It is computed here on test
# rows, with the clusters of the tree above.

leaves = models["linear models"].hierarchy_.leaf_of_label
membership = sp.csr_array((np.ones(len(leaves)), (np.arange(len(leaves)), leaves)))
M_train = (Y_train @ membership > 0).astype(np.int8)
n_in_cluster = (Y_test @ membership).toarray()
print(f"{len(leaves)} labels in {M_train.shape[1]} clusters")

recall = {}
for name, matcher in matchers.items():
    scores = clone(matcher).fit(X_train, M_train).predict_proba(X_test)
    best_first = np.argsort(-scores.toarray(), axis=1, kind="stable")
    found = np.take_along_axis(n_in_cluster, best_first, axis=1).sum(axis=0)
    recall[name] = np.cumsum(found) / n_in_cluster.sum()

# %%
# Compare the matchers
# --------------------
# The mean has the highest recall at nearly every beam width: linear models and nearest neighbors
# miss different clusters. But the rankings above are not better. The score of a label contains the
# probability of its cluster, and thirty neighbors give only a coarse estimate of this probability.
# So evaluate the complete classifier before you use a custom matcher. With ``matcher_level=1`` the
# matcher scores only the first level of the tree, and linear models score the levels below.
#
# With a beam width of 1, half of the labels could not be found.

widths = np.arange(1, 41)
styles = [("#0072B2", "-"), ("#E69F00", "--"), ("#009E73", "-")]
fig, ax = plt.subplots(figsize=(7, 4.3), layout="constrained")
for (name, values), (color, dashes) in zip(recall.items(), styles, strict=True):
    ax.plot(widths, values[:40], color=color, linestyle=dashes, label=name)
ax.axvline(10, color="0.7", linewidth=1)
ax.text(10.4, ax.get_ylim()[0] + 0.01, "default beam width", color="0.5")
ax.set(
    title="Recall of the matchers",
    xlabel="beam width (clusters)",
    ylabel="fraction of true labels in the beam",
    xlim=(0, 40),
)
ax.legend(title="matcher", loc="lower right")
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
