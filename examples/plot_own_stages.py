"""
===================
Stages of one's own
===================

A classifier here has three stages: a tree groups the labels, a matcher finds clusters of labels
for a row, and a ranker scores their labels. Each has a standard algorithm, and each gives way to
one of your own: any estimator with the usual methods, or a tree made elsewhere.

The rows are pieces of the documentation of numpy, scipy and scikit-learn, the labels what they
document.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import MiniBatchKMeans
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import normalize

from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.matching import NearestNeighborsMatcher
from skxmr.metrics import precision_at_k

docs = load_api_docs()
train_texts, test_texts, Y_train, Y_test = train_test_split(
    docs.data, docs.target, test_size=0.2, random_state=0
)
vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
X_train, X_test = vectorizer.fit_transform(train_texts), vectorizer.transform(test_texts)


results = {}


def evaluate(name, **stages):
    """Fit with the given stages, and keep and print the precision of the first labels."""
    model = XRLinearClassifier(n_jobs=-1, random_state=0, **stages).fit(X_train, Y_train)
    ranking = model.predict_topk(X_test, k=5)
    first, five = (precision_at_k(Y_test, ranking, k=k) for k in (1, 5))
    results[name] = first
    print(f"{name:<20} P@1 {first:.3f}  P@5 {five:.3f}")


evaluate("standard stages")

# %%
# A tree
# ------
# Here the clusters are the modules: ``numpy.linalg.inv`` belongs to ``numpy.linalg``. A tree is
# given by the parent of each node, level by level, the labels last.

modules = [name.rpartition(".")[0] for name in docs.target_names]
names, module_of_label = np.unique(modules, return_inverse=True)
tree = LabelHierarchy.from_parents([np.zeros(len(names), dtype=int), module_of_label])
evaluate("own tree", label_tree=tree)

# %%
# A clusterer
# -----------
# Any clusterer that takes ``n_clusters`` makes the tree, one split after another, here to clusters
# of unequal size.

clusterer = MiniBatchKMeans(n_init=1, random_state=0)
evaluate("own clusterer", label_tree=HierarchicalLabelTree(clustering=clusterer, balanced=False))

# %%
# A matcher
# ---------
# It learns the clusters ``M`` of the rows ``X``, and gives each cluster a probability. ``M`` is
# dense while it is small, sparse else; the answer may be either. This one asks each word how often
# it stands in rows of each cluster, and takes the mean.


class WordVotes(ClassifierMixin, BaseEstimator):
    def fit(self, X, M):
        self.classes_ = np.arange(M.shape[1])
        self.shares_ = normalize(X.T @ sp.csr_array(M), norm="l1")
        return self

    def predict_proba(self, X):
        return normalize(X, norm="l1") @ self.shares_


evaluate("own matcher", matcher=WordVotes())
# One that comes with the library, above the leaf clusters: linear models go on below.
evaluate("nearest neighbours", matcher=NearestNeighborsMatcher(20), matcher_level=1)

# %%
# A ranker
# --------
# Any binary classifier with ``predict_proba`` or ``decision_function``; a copy of it learns each
# label. That takes its time: it is meant for trying what a label needs, less for millions of
# labels. This one looks along the line between the mean of the rows with the label and that of the
# other rows in its cluster.


class BetweenMeans(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        self.direction_ = np.ravel(X[y == 1].mean(axis=0) - X[y == 0].mean(axis=0))
        place = X @ self.direction_
        low, high = place[y == 0].mean(), place[y == 1].mean()
        self.middle_, self.half_ = (high + low) / 2, max((high - low) / 2, 1e-6)
        return self

    def decision_function(self, X):
        return (X @ self.direction_ - self.middle_) / self.half_


evaluate("own ranker", ranker=BetweenMeans())

# %%
# All together
# ------------
# The stages know nothing of each other, so each goes with every other.

evaluate("all of them", label_tree=tree, matcher=WordVotes(), ranker=BetweenMeans())

fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
colors = ["#0072B2" if name == "standard stages" else "0.75" for name in results]
bars = ax.barh(list(results), [100 * first for first in results.values()], color=colors)
ax.bar_label(bars, fmt="%.1f", padding=3)
ax.invert_yaxis()
ax.set(title="Precision of the first label, %", xticks=[])
ax.tick_params(axis="y", length=0)
ax.spines[["top", "right", "bottom"]].set_visible(False)
plt.show()
