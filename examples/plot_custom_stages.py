"""
===============================================
Replace stages: custom tree, matcher and ranker
===============================================

``XRLinearClassifier`` has three stages: a tree groups the labels, a matcher finds clusters of
labels for a row, and a ranker scores the labels in these clusters. You can replace each stage, with
an estimator that has the methods of scikit-learn or with a tree from another source.

The texts are parts of the documentation of NumPy, SciPy and scikit-learn. The labels are the
functions and classes that they document.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import MiniBatchKMeans
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import normalize

from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.matching import NearestNeighborsMatcher
from skxmr.metrics import precision_at_k
from skxmr.text import TfidfVectorizer

docs = load_api_docs()
train_texts, test_texts, Y_train, Y_test = train_test_split(
    docs.data, docs.target, test_size=0.2, random_state=0
)
vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
X_train, X_test = vectorizer.fit_transform(train_texts), vectorizer.transform(test_texts)


results = {}


def evaluate(name, **stages):
    """Fit with custom stages and print precision; store P@1 in `results`."""
    model = XRLinearClassifier(n_jobs=-1, random_state=0, **stages).fit(X_train, Y_train)
    ranking = model.predict_topk(X_test, k=5)
    first, five = (precision_at_k(Y_test, ranking, k=k) for k in (1, 5))
    results[name] = first
    print(f"{name:<20} P@1 {first:.3f}  P@5 {five:.3f}")


evaluate("standard stages")

# %%
# Custom tree
# -----------
# In this tree, clusters are modules: ``numpy.linalg.inv`` is in ``numpy.linalg``. ``from_parents``
# takes the parent of each node, for each level from the root to the labels.

modules = [name.rpartition(".")[0] for name in docs.target_names]
names, module_of_label = np.unique(modules, return_inverse=True)
tree = LabelHierarchy.from_parents([np.zeros(len(names), dtype=int), module_of_label])
evaluate("custom tree", label_tree=tree)

# %%
# Custom clusterer
# ----------------
# Any clusterer with the parameter ``n_clusters`` can split the labels level by level. The clusters
# have different sizes here.

clusterer = MiniBatchKMeans(n_init=1, random_state=0)
label_tree = HierarchicalLabelTree(clustering=clusterer, balanced=False)
evaluate("custom clusterer", label_tree=label_tree)

# %%
# Custom matcher
# --------------
# ``fit`` takes the rows ``X`` and ``M``, an indicator of their clusters. ``M`` is dense if it is
# small, otherwise sparse. ``predict_proba`` returns a dense or sparse matrix of probabilities. This
# matcher estimates from the training rows how likely each cluster is for a word, and averages over
# the words of a row.


class WordAverageMatcher(ClassifierMixin, BaseEstimator):
    def fit(self, X, M):
        self.classes_ = np.arange(M.shape[1])
        self.word_probabilities_ = normalize(X.T @ sp.csr_array(M), norm="l1")
        return self

    def predict_proba(self, X):
        return normalize(X, norm="l1") @ self.word_probabilities_


evaluate("custom matcher", matcher=WordAverageMatcher())
# NearestNeighborsMatcher is part of skxmr. Here it scores the first level only; linear models score
# the levels below.
evaluate("nearest neighbors", matcher=NearestNeighborsMatcher(20), matcher_level=1)

# %%
# Custom ranker
# -------------
# Any binary classifier with ``predict_proba`` or ``decision_function`` can be a ranker. A clone is
# trained for each label. This is slow, so custom rankers are for experiments rather than for
# millions of labels. This ranker projects rows onto the line from the mean of the negative rows to
# the mean of the positive rows. Negative rows are the other rows of the cluster.


class MeanDifferenceRanker(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        self.direction_ = np.ravel(X[y == 1].mean(axis=0) - X[y == 0].mean(axis=0))
        projection = X @ self.direction_
        low, high = projection[y == 0].mean(), projection[y == 1].mean()
        self.center_, self.half_distance_ = (high + low) / 2, max((high - low) / 2, 1e-6)
        return self

    def decision_function(self, X):
        return (X @ self.direction_ - self.center_) / self.half_distance_


evaluate("custom ranker", ranker=MeanDifferenceRanker())

# %%
# Combine custom stages
# ---------------------
# The stages are independent of each other, so all combinations are possible.

evaluate(
    "all three custom", label_tree=tree, matcher=WordAverageMatcher(), ranker=MeanDifferenceRanker()
)

fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
colors = ["#0072B2" if name == "standard stages" else "0.75" for name in results]
bars = ax.barh(list(results), [100 * first for first in results.values()], color=colors)
ax.bar_label(bars, fmt="%.1f", padding=3)
ax.invert_yaxis()
ax.set(title="P@1 in percent", xticks=[])
ax.tick_params(axis="y", length=0)
ax.spines[["top", "right", "bottom"]].set_visible(False)
plt.show()
