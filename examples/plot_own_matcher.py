"""
=====================
A matcher of your own
=====================

The matcher finds the clusters in which a row's labels lie. Any multilabel classifier with
``predict_proba`` can be one: this example makes one that asks both linear models and the most
similar rows, and looks at what it gains.
"""

# %%
# Rows
# ----
# Pieces of the documentation of numpy, scipy and scikit-learn, and what they document.

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split

from skxmr import XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.matching import NearestNeighborsMatcher
from skxmr.metrics import precision_at_k

texts, Y = load_api_docs(return_X_y=True)
train_texts, test_texts, Y_train, Y_test = train_test_split(texts, Y, test_size=0.2, random_state=0)
vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
X_train, X_test = vectorizer.fit_transform(train_texts), vectorizer.transform(test_texts)

# %%
# The matcher
# -----------
# ``fit`` is given the rows and the clusters ``M`` of each row, an indicator like ``y``, dense while
# it is small. ``predict_proba`` returns a probability for each row and cluster, dense or sparse.
# The parts are scikit-learn estimators, cloned as in every meta-estimator; ``XRLinearClassifier``
# is a multilabel classifier too, and can be one of them.


class MeanOfMatchers(ClassifierMixin, BaseEstimator):
    """Average the probabilities of several matchers."""

    def __init__(self, parts):
        self.parts = parts

    def fit(self, X, M):
        self.classes_ = np.arange(M.shape[1])
        self.parts_ = [clone(part).fit(X, sp.csr_array(M)) for part in self.parts]
        return self

    def predict_proba(self, X):
        return sum(part.predict_proba(X) for part in self.parts_) / len(self.parts_)


linear = XRLinearClassifier(beam_width=None, random_state=0)
neighbours = NearestNeighborsMatcher(30)
matchers = {
    "linear models": linear,
    "nearest rows": neighbours,
    "mean of both": MeanOfMatchers([linear, neighbours]),
}

# %%
# As a part of the classifier
# ---------------------------
# The tree and the models of the labels are the same for each, so that the difference is the
# matcher's.

models = {}
for name, matcher in matchers.items():
    model = XRLinearClassifier(max_leaf_size=20, matcher=matcher, random_state=0)
    models[name] = model.fit(X_train, Y_train)
    ranking = model.predict_topk(X_test, k=5)
    first, five = (precision_at_k(Y_test, ranking, k=k) for k in (1, 5))
    print(f"{name:<14} P@1 {first:.3f}  P@5 {five:.3f}")

# %%
# By itself
# ---------
# A label whose cluster is not in the beam is lost, however good its own model. So a matcher is
# judged by recall: which share of the labels of test rows lies in the best clusters of their row?
# The clusters are those of the tree above.

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
# What it shows
# -------------
# By recall the mean of both is the best matcher at nearly every width of the beam: neighbours find
# clusters that linear models miss, and the other way round. But the rankings above did not gain by
# it. The probability of its cluster is a factor of a label's score, and the votes of thirty rows
# are too coarse for that. So look at the whole before you keep a matcher of your own; nearer to the
# root (``matcher_level=1``) it has fewer clusters to tell, and linear models go on below.
#
# That half of the labels are lost at a width of one is why there is a beam.

widths = np.arange(1, 41)
styles = [("#0072B2", "-"), ("#E69F00", "--"), ("#009E73", "-")]
fig, ax = plt.subplots(figsize=(7, 4.3), layout="constrained")
for (name, values), (color, dashes) in zip(recall.items(), styles, strict=True):
    ax.plot(widths, values[:40], color=color, linestyle=dashes, label=name)
ax.axvline(10, color="0.7", linewidth=1)
ax.text(10.4, ax.get_ylim()[0] + 0.01, "default beam", color="0.5")
ax.set(
    title="Labels whose cluster is in the beam",
    xlabel="clusters in the beam",
    ylabel="share of the labels of test rows",
    xlim=(0, 40),
)
ax.legend(title="matcher", loc="lower right")
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
