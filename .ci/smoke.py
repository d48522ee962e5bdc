"""Check an installed package: fit a small model and rank with it."""

import numpy as np

import skxmr
from skxmr.datasets import EXAMPLE_CSV, load_texts, make_extreme_multilabel
from skxmr.metrics import precision_at_k

X, Y = make_extreme_multilabel(random_state=0)
model = skxmr.XRLinearClassifier(random_state=0).fit(X, Y)
labels, scores = model.predict_topk(X, k=5)
precision = precision_at_k(Y, (labels, scores), k=1)
print(f"{skxmr.__file__}: training precision@1 {precision:.2f}")
assert precision > 0.9

# A single row and another number of threads give the same result.
one, _ = model.predict_topk(X[:1], k=5)
assert np.array_equal(one, labels[:1])
again = skxmr.XRLinearClassifier(n_jobs=2, random_state=0).fit(X, Y).predict_topk(X, k=5)
assert np.array_equal(again[0], labels)
assert np.array_equal(again[1], scores)

# The example file is part of the package.
texts, topics = load_texts(EXAMPLE_CSV, text="definition", labels="topics", separator=";")
tagger = skxmr.make_text_classifier(random_state=0).fit(texts, topics)
assert tagger.suggest(["a boat with two sails"], k=1)[0][0][0] == "vehicle"
