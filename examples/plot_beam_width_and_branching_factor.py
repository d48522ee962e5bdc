"""
================================
Beam width and shape of the tree
================================

A tree of labels saves time twice: in training, where a label is told only from those near it, and
in prediction, where a beam follows the few best clusters of each level. Both savings can cost
precision. A grid search over ``branching_factor``, how many children a cluster may have, and
``beam_width``, how many clusters the beam keeps, shows how much.
"""

# %%
# Rows and pipeline
# -----------------
# The rows are pieces of the documentation of numpy, scipy and scikit-learn, the labels what they
# document. Words are counted beforehand: this learns no more than the vocabulary, and the search
# would repeat it for every candidate. TF-IDF weights depend on the training rows and belong in the
# pipeline.
#
# Leaves of ten labels make the tree of this small set deep enough for a beam to matter.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline

from skxmr import XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.metrics import topk_scorer

texts, Y = load_api_docs(return_X_y=True)
counts = CountVectorizer(stop_words="english", dtype=np.float32).fit_transform(texts)
pipeline = make_pipeline(
    TfidfTransformer(sublinear_tf=True), XRLinearClassifier(max_leaf_size=10, random_state=0)
)

# %%
# Search
# ------
# ``topk_scorer`` asks the last step of the pipeline for its best labels, where scikit-learn's own
# ranking metrics want a dense score for every label. Without ``n_jobs``, no candidate disturbs the
# times of another.
#
# The search fits anew for each beam width. Where nothing else is varied, fit once instead and call
# ``set_params(beam_width=...)`` on the fitted classifier.

branching_factors = [2, 4, 16, 64]
beam_widths = [1, 2, 4, 8, 16, 32]
search = GridSearchCV(
    pipeline,
    {
        "xrlinearclassifier__branching_factor": branching_factors,
        "xrlinearclassifier__beam_width": beam_widths,
    },
    scoring=topk_scorer("precision", k=1),
    cv=KFold(3, shuffle=True, random_state=0),
    refit=False,
).fit(counts, Y)

# The grid runs through parameters in the order of their names, the last one fastest.
shape = (len(beam_widths), len(branching_factors))
precision, fit_time, score_time = (
    search.cv_results_[name].reshape(shape).T
    for name in ("mean_test_score", "mean_fit_time", "mean_score_time")
)


def table_row(name, values, form):
    return f"{name:<20}" + "".join(f"{value:8{form}}" for value in values)


print(table_row("beam width", beam_widths, "d"))
for title, values, form in [("P@1", precision, ".3f"), ("score (ms)", 1000 * score_time, ".0f")]:
    print(title)
    for factor, row in zip(branching_factors, values, strict=True):
        print(table_row(f"  {factor} branches", row, form))
# The beam has no part in training, so all fits of a tree are alike.
fit_time = fit_time.mean(axis=1)
print("fit (ms)")
for factor, seconds in zip(branching_factors, fit_time, strict=True):
    print(table_row(f"  {factor} branches", [1000 * seconds], ".0f"))

# %%
# What it shows
# -------------
# A beam of one never recovers from a wrong turn, and the deeper the tree, the more turns it takes.
# Two clusters mend most of that; from eight on a wider beam only costs time. What remains between
# the curves is the tree itself: a label's score is a product along its path, and a long path has
# more factors that can be wrong.
#
# Fewer levels are also faster to search. What a wide tree costs is training, where each cluster
# is told from more others: little here, more with more labels.

# Colours that can be told apart without seeing red or green.
styles = [("#0072B2", "o"), ("#E69F00", "s"), ("#009E73", "^"), ("#CC79A7", "D")]
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for factor, p, score, fit, (color, marker) in zip(
    branching_factors, precision, score_time, fit_time, styles, strict=True
):
    left.plot(beam_widths, p, color=color, marker=marker, label=factor)
    right.plot(beam_widths, 1000 * score, color=color, marker=marker)
    right.axhline(1000 * fit, color=color, linestyle="--")
left.set(title="Precision of the first label", ylabel="P@1")
left.legend(title="branching factor", reverse=True)
right.set(title="Time for one fold", ylabel="milliseconds", ylim=(0, None))
# The colours are explained on the left; what is left to say has none.
right.plot([], [], color="0.3", linestyle="--", label="fit, at any beam width")
right.plot([], [], color="0.3", marker=".", label="score")
right.legend(loc="upper left", bbox_to_anchor=(0, 0.6))
for ax in (left, right):
    ax.set_xscale("log", base=2)
    ax.set_xticks(beam_widths, beam_widths)
    ax.set_xlabel("beam width")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
