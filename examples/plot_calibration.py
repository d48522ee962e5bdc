"""
=============================
Probabilities, and thresholds
=============================

A score in (0, 1] is not yet a probability: of labels with the score 0.7, are seven in ten right?
A reliability diagram shows it. Calibration on held-out rows mends it, and a threshold tuned on
held-out rows decides how many labels a row gets.
"""

# %%
# Rows
# ----
# Random rows with 1000 labels, a few of them true for each row. The targets stay sparse all the
# way.

import matplotlib.pyplot as plt
from sklearn.metrics import f1_score

from skxmr import XRLinearClassifier
from skxmr.calibration import (
    CalibratedMultilabelClassifierCV,
    TunedThresholdMultilabelClassifierCV,
)
from skxmr.datasets import make_extreme_multilabel
from skxmr.metrics import calibration_curve, expected_calibration_error

X, Y = make_extreme_multilabel(n_samples=9000, n_features=4000, n_labels=1000, random_state=0)
X, X_test, Y, Y_test = X[:6000], X[6000:], Y[:6000], Y[6000:]

# %%
# Calibration
# -----------
# One map from scores to probabilities, for all labels, is learnt from the scores of rows that
# cross-validation held out. It rises, so the ranking is the same before and after.
#
# Judged are the five best labels of each test row: over all scored pairs, hundreds of hopeless
# labels a row with scores near 0 would hide everything else.

classifier = XRLinearClassifier(random_state=0)
models = {"scores as they are": classifier.fit(X, Y)}
for method in ("sigmoid", "isotonic"):
    models[method] = CalibratedMultilabelClassifierCV(classifier, method=method, cv=3).fit(X, Y)

rankings = {name: model.predict_topk(X_test, k=5) for name, model in models.items()}
print("expected calibration error of the five best labels")
for name, ranking in rankings.items():
    print(f"  {name:<20}{expected_calibration_error(Y_test, ranking):.3f}")

# %%
# Thresholds
# ----------
# The same scores, cut where F1 was best on held-out rows. Probabilities would not make one half the
# best cut: that is half of the F1 that can be reached, far below one half here.

print("F1               micro  samples")
for average in (None, "micro", "samples"):
    if average is None:
        name, model = "one half", classifier
    else:
        name = f"tuned, {average}"
        model = TunedThresholdMultilabelClassifierCV(classifier, average=average, cv=3).fit(X, Y)
    predicted = model.predict(X_test)
    scores = [f1_score(Y_test, predicted, average=a, zero_division=0) for a in ("micro", "samples")]
    print(f"  {name:<15}{scores[0]:.3f}    {scores[1]:.3f}")

# %%
# The diagram
# -----------
# On the diagonal, what is said is what happens. The two numbers of the sigmoid cannot follow every
# bend; the isotonic map can, and pairs to learn it from are plenty.

fig, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
ax.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="calibrated")
# Colours that can be told apart without seeing red or green.
styles = [("#0072B2", "o"), ("#E69F00", "s"), ("#009E73", "^")]
for (name, ranking), (color, marker) in zip(rankings.items(), styles, strict=True):
    prob_true, prob_pred = calibration_curve(Y_test, ranking, n_bins=10)
    ax.plot(prob_pred, prob_true, color=color, marker=marker, label=name)
ax.set(
    title="Reliability of the five best labels",
    xlabel="predicted probability",
    ylabel="fraction of labels that are true",
    aspect="equal",
)
ax.legend()
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
