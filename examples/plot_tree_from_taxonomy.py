"""
====================================
Build the label tree from a taxonomy
====================================

Labels often have a taxonomy: products have categories, books have classifications, and functions
have modules. ``LabelHierarchy.from_taxonomy`` builds a tree from the paths of the labels. Pass it
to the classifier as ``label_tree``.
"""

# %%
# Build a tree from names
# -----------------------
# The labels are the documented functions and classes of NumPy, SciPy and scikit-learn. Their names
# are paths: ``numpy.linalg.inv`` is in ``numpy.linalg``, which is in ``numpy``.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.metrics import precision_at_k
from skxmr.text import TfidfVectorizer

docs = load_api_docs()
tree = LabelHierarchy.from_taxonomy(docs.target_names, sep=".")
print(tree)

# %%
# All labels must be at the same depth of the tree, so short paths are extended by clusters with a
# single child. They take almost no time, because nothing has to be decided there.
#
# Compare three trees
# -------------------
# The taxonomy does not use the texts, k-means does not use the modules, and random clusters use
# neither.

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
    values = "  ".join(f"{p:.3f}" for p in precision[name])
    print(f"{name:<9} P@1, P@3, P@5: {values}")

# %%
# Plot the taxonomy and the precision
# -----------------------------------
# If labels of the same category have similar texts, the taxonomy is at least as good as a learned
# tree, and easier to read. The modules have very different sizes. If one cluster has most of the
# labels, training takes longer.

fig, (left, right) = plt.subplots(
    1, 2, figsize=(11, 5), width_ratios=[1.6, 1], layout="constrained"
)
# Icicle plot: the height of a module is its number of labels; its submodules are to its right.
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
            if height > 95:  # enough space for a name
                left.text(
                    depth + 0.03,
                    first + height / 2,
                    f"{prefix[-1]}  {height}",
                    va="center",
                    fontsize=8,
                )
        first = last
left.set(
    xlim=(0, 3), ylim=(len(paths), 0), xticks=[], title="Taxonomy: modules and numbers of labels"
)
left.set_ylabel("labels")
left.spines[:].set_visible(False)

positions = np.arange(3)
for i, (name, values) in enumerate(precision.items()):
    bars = right.bar(
        positions + 0.27 * (i - 1),
        values,
        width=0.25,
        label=name,
        color=["#0072B2", "#999999", "#dddddd"][i],
    )
    right.bar_label(bars, [f"{100 * p:.0f}" for p in values], padding=2, fontsize=8)
right.set_xticks(positions, ["P@1", "P@3", "P@5"])
right.set(title="Precision in percent", yticks=[])
right.legend(title="tree", frameon=False)
right.spines[["top", "right", "left"]].set_visible(False)
plt.show()
