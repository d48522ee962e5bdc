"""Helpers of tests about scores: transforms to test, expected forms, random candidates."""

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

from skxmr._core.score_rule import TRANSFORMS

TRANSFORM_CHOICES = [
    "l3-hinge",
    "log-sigmoid",
    "identity",
    ("l3-hinge", "identity"),
    ["sigmoid", "l1-hinge", "l4-hinge"],
    *(name for name in TRANSFORMS if name not in ("l3-hinge", "log-sigmoid", "identity")),
    ("identity", "l2-hinge"),
    ("l1-hinge",) * 9 + ("sigmoid",),
]


def reset_scores(model):
    """Set the parameters of the score to their defaults."""
    model.set_params(score_transform="l3-hinge", propensity_weight=0.0, beam_width=10)


def get_score_functions(model):
    """Return two functions of reference scores: to results of predict_topk and predict_proba."""
    names = model.score_transform
    names = [names] if isinstance(names, str) else list(names)
    n_levels = len(model._model.levels)
    names = ([names[0]] * n_levels + names)[-n_levels:]
    if "identity" in names:
        return np.asarray, expit
    return (np.asarray if names[0].startswith("log-") else np.exp), np.exp


def assert_same_ranking(labels, scores, expected, shown):
    """Compare a ranking with the reference [(label, score)]; `shown` converts its scores."""
    values = shown(np.array([score for _, score in expected]))
    tolerance = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(scores, values, **tolerance)
    by_label = dict(expected)
    for label, score in zip(labels, scores, strict=True):
        # A label that is not in the reference has the same score as its last label.
        np.testing.assert_allclose(
            shown(by_label[label]) if label in by_label else values[-1], score, **tolerance
        )


def make_candidates(rng, n_rows, n_labels=150):
    """Return a random CSR matrix of candidates; every fifth row is empty."""
    pattern = sp.random_array((n_rows, n_labels), density=0.05, format="csr", rng=rng)
    keep = np.ones(n_rows)
    keep[::5] = 0
    pattern = sp.csr_array(sp.diags_array(keep) @ pattern)
    pattern.eliminate_zeros()
    return pattern
