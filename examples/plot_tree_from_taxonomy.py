"""
=============================
A tree from your own taxonomy
=============================

Shops have categories, libraries have classifications, and functions have modules: often somebody
has grouped the labels already. ``LabelHierarchy.from_taxonomy`` makes a tree of their names, and
``label_tree`` takes it as it is.
"""

# %%
# Names are paths
# ---------------
# The labels are the documented objects of numpy, scipy and scikit-learn. Their names say where they
# belong: ``numpy.linalg.inv`` lies in ``numpy.linalg``, and this in ``numpy``.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split

from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.metrics import precision_at_k

docs = load_api_docs()
tree = LabelHierarchy.from_taxonomy(docs.target_names, sep=".")
print(tree)

# %%
# All labels lie at the same depth in such a tree: a path that ends early goes on through only
# children, which cost next to nothing, as there is nothing to decide.
#
# Three trees
# -----------
# The taxonomy knows nothing of the texts, k-means knows nothing of the modules, and random clusters
# know nothing at all.

train_texts, test_texts, Y_train, Y_test = train_test_split(
    docs.data, docs.target, test_size=0.2, random_state=0
)
vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
X_train, X_test = vectorizer.fit_transform(train_texts), vectorizer.transform(test_texts)

trees = {
    "taxonomy": tree,
    "k-means": HierarchicalLabelTree(max_leaf_size=20),
    "random": HierarchicalLabelTree(max_leaf_size=20, clustering="random"),
}
precision = {}
for name, label_tree in trees.items():
    model = XRLinearClassifier(label_tree=label_tree, n_jobs=-1, random_state=0)
    model.fit(X_train, Y_train)
    ranking = model.predict_topk(X_test, k=5)
    precision[name] = [precision_at_k(Y_test, ranking, k=k) for k in (1, 3, 5)]
    figures = "  ".join(f"{p:.3f}" for p in precision[name])
    print(f"{name:<9} P@1, 3, 5: {figures}")

# %%
# What it shows
# -------------
# A taxonomy that the texts follow is as good as a tree that is learnt, or better, and people can
# read it. It is not balanced, as a look at the modules shows: where one cluster holds most labels,
# training takes longer.

fig, (left, right) = plt.subplots(
    1, 2, figsize=(11, 5), width_ratios=[1.6, 1], layout="constrained"
)
# Icicles: a module is as high as it has labels, and its submodules lie to its right.
colors = {"numpy": "#56B4E9", "scipy": "#009E73", "sklearn": "#E69F00"}
paths = sorted(name.split(".")[:-1] for name in docs.target_names)
for depth in range(3):
    first = 0
    while first < len(paths):
        prefix = paths[first][: depth + 1]
        last = first
        while last < len(paths) and paths[last][: depth + 1] == prefix:
            last += 1
        if len(prefix) > depth:
            height = last - first
            left.bar(
                depth,
                height,
                width=1,
                align="edge",
                bottom=first,
                color=colors[prefix[0]],
                alpha=1 - 0.25 * depth,
                edgecolor="white",
                linewidth=0.6,
            )
            if height > 95:  # room for a name
                left.text(
                    depth + 0.03,
                    first + height / 2,
                    f"{prefix[-1]}  {height}",
                    va="center",
                    fontsize=8,
                )
        first = last
left.set(
    xlim=(0, 3), ylim=(len(paths), 0), xticks=[], title="The taxonomy: modules and their labels"
)
left.set_ylabel("labels")
left.spines[:].set_visible(False)

places = np.arange(3)
for i, (name, values) in enumerate(precision.items()):
    bars = right.bar(
        places + 0.27 * (i - 1),
        values,
        width=0.25,
        label=name,
        color=["#0072B2", "#999999", "#dddddd"][i],
    )
    right.bar_label(bars, [f"{100 * p:.0f}" for p in values], padding=2, fontsize=8)
right.set_xticks(places, ["P@1", "P@3", "P@5"])
right.set(title="Precision, %", yticks=[])
right.legend(title="tree", frameon=False)
right.spines[["top", "right", "left"]].set_visible(False)
plt.show()
