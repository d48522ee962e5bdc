"""
===========================================
Calibrate probabilities and tune thresholds
===========================================

Scores between 0 and 1 are not necessarily probabilities. If they were, 70 of 100 labels with a
score of 0.7 would be correct. A reliability diagram shows the difference, and calibration with
held-out rows removes it. A threshold that is tuned with held-out rows decides how many labels
``predict`` returns.
"""

# %%
# Generate the data
# -----------------
# The data set is generated: 1000 labels, a few per row. All targets are sparse matrices.

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
# Calibrate the scores
# --------------------
# One function from scores to probabilities is fitted for all labels, with the scores of rows held
# out by cross-validation. The function is increasing, so calibration does not change the ranking.
#
# The calibration error is computed for the top five labels of each test row. With all labels,
# hundreds of labels per row with scores near 0 would dominate the error.

classifier = XRLinearClassifier(random_state=0)
models = {"not calibrated": classifier.fit(X, Y)}
for method in ("sigmoid", "isotonic"):
    models[method] = CalibratedMultilabelClassifierCV(classifier, method=method, cv=3).fit(X, Y)

rankings = {name: model.predict_topk(X_test, k=5) for name, model in models.items()}
print("expected calibration error of the top five labels")
for name, ranking in rankings.items():
    print(f"  {name:<20}{expected_calibration_error(Y_test, ranking):.3f}")

# %%
# Tune the threshold
# ------------------
# The threshold with the highest F1 is selected on held-out rows. Calibrated probabilities do not
# make 0.5 the best threshold: the best threshold for F1 is half of the largest F1 that can be
# reached, which is far below 0.5 here.

print("F1                  micro  samples")
for average in (None, "micro", "samples"):
    if average is None:
        name, model = "threshold 0.5", classifier
    else:
        name = f"tuned for {average}"
        model = TunedThresholdMultilabelClassifierCV(classifier, average=average, cv=3).fit(X, Y)
    predicted = model.predict(X_test)
    scores = [f1_score(Y_test, predicted, average=a, zero_division=0) for a in ("micro", "samples")]
    print(f"  {name:<18}{scores[0]:.3f}    {scores[1]:.3f}")

# %%
# Plot the reliability diagram
# ----------------------------
# On the diagonal, predicted probabilities match observed frequencies. The sigmoid has only two
# parameters and cannot follow the shape of the curve. Isotonic regression can, and there are enough
# pairs of rows and labels to fit it.

fig, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
ax.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="perfectly calibrated")
# Colors that color-blind readers can distinguish.
styles = [("#0072B2", "o"), ("#E69F00", "s"), ("#009E73", "^")]
for (name, ranking), (color, marker) in zip(rankings.items(), styles, strict=True):
    prob_true, prob_pred = calibration_curve(Y_test, ranking, n_bins=10)
    ax.plot(prob_pred, prob_true, color=color, marker=marker, label=name)
ax.set(
    title="Reliability diagram of the top five labels",
    xlabel="predicted probability",
    ylabel="fraction of true labels",
    aspect="equal",
)
ax.legend()
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
