"""
========================
Why this function, pray?
========================

A classifier over a few thousand functions of numpy, scipy and scikit-learn answers a question in
plain words. Each answer is a path through a tree of clusters, and each step of the path a sum over
the words of the question: it can be told why an answer was given, and why another was not.

Ask your own question on the command line, and name a function if it is not the best answer that you
ask about::

    python plot_explanation.py "inverse of a matrix" numpy.linalg.inv

``--output FILE`` saves the figure instead of showing it.
"""

# %%
# The model
# ---------
# The docstrings come from the packages installed here. Features are words, so that reasons can be
# read; the API search beside this example finds a little more with sequences of four characters.

import argparse

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from skxmr import XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.inspection import ExplanationDisplay, LabelTreeDisplay, describe_tree, explain

parser = argparse.ArgumentParser(description="Explain an answer of the API search.")
parser.add_argument("question", nargs="?", default="solve a sparse linear system of equations")
parser.add_argument("function", nargs="?", help="explain this answer, not the best")
parser.add_argument("--output", metavar="FILE", help="save the figure here, do not show it")
arguments = parser.parse_args()

docs = load_api_docs()
pipeline = make_pipeline(
    TfidfVectorizer(stop_words="english", sublinear_tf=True, dtype=np.float32),
    XRLinearClassifier(branching_factor=8, max_leaf_size=60, C=2.0, random_state=0),
).fit(docs.data, docs.target)

# %%
# The answer, and why
# -------------------
# At each step the siblings compete. A feature's contribution is its TF-IDF value in the question
# times its weight in the model of the cluster or function; with the intercept they add up to the
# margin, which becomes the score of the step. The product of these ranks the answers.

question = arguments.question
labels, _ = pipeline[-1].predict_topk(pipeline[:-1].transform([question]), k=3)
names = docs.target_names
best, *others = (names[label] for label in labels[0])
print(f"{question}: {best}, then {' and '.join(others)}\n")
names_of = {"label_names": names, "n_features": 4}
explanation = explain(pipeline, question, arguments.function or best, **names_of)
print(explanation)

# %%
# Why not another
# ---------------
# One that the question does not fit is lost on the way, or it is ranked far below. Here the beam is
# one cluster wide, which is too narrow for most questions but shows best what it does.

pipeline[-1].set_params(beam_width=1)
print("\n" + str(explain(pipeline, question, "numpy.histogram", **names_of)))
pipeline[-1].set_params(beam_width=10)

# %%
# The tree
# --------
# What a cluster is about are the words of the largest positive weights in its model. Clusters are
# of equal size, so that some hold two subjects.

print(f"\n{describe_tree(pipeline, names, max_depth=1, n_labels=2)}")

# %%
# Both as pictures
# ----------------

try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None
    print("\nInstall matplotlib to see this as a figure.")

if plt is not None:
    n_bars = sum(min(len(step.names), 4) + 4 for step in explanation.path)
    heights = [0.3 * n_bars, 4]
    fig, axes = plt.subplots(
        2, 1, figsize=(9, sum(heights)), height_ratios=heights, layout="constrained"
    )
    ExplanationDisplay(explanation).plot(ax=axes[0])
    LabelTreeDisplay.from_estimator(pipeline, names, max_depth=1, max_children=8, ax=axes[1])

    if arguments.output:
        fig.savefig(arguments.output, dpi=150)
    # Backends that draw to files have nothing to show, and say so in a warning.
    elif fig.canvas.required_interactive_framework:
        plt.show()
