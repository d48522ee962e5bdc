"""Explanations as plain text."""

from typing import NamedTuple

import numpy as np

from skxmr._linear.level_weights import UNTRAINED_INTERCEPT


class ContributionRow(NamedTuple):
    """One row of the table of contributions of a step.

    Attributes
    ----------
    name : str
        Name of the feature, "intercept", or the number of features that are not listed.
    contribution : float
        Contribution to the margin.
    note : str
        Value and weight of the feature; may be empty.
    """

    name: str
    contribution: float
    note: str


def explanation_text(explanation):
    """Return the report of an `Explanation`."""
    lines = [f"{explanation.label_name}: {describe_outcome(explanation)}"]
    n_trees = len(explanation.paths)
    for tree, path in enumerate(explanation.paths):
        if n_trees > 1:
            lines.append(f"\ntree {tree + 1} of {n_trees}")
        for step in path:
            is_label = step is path[-1]
            lines.append(f"\nlevel {step.level}, {step_title(step, is_label)}")
            lines.append(f"  {describe_ranks(step, explanation.beam_width, is_label)}")
            lines.append(f"  {describe_scores(step)}")
            rows = contribution_rows(step, explanation.n_features)
            width = max((len(row.name) for row in rows), default=0)
            lines += [
                f"    {row.contribution:+8.3f}  {row.name:<{width}}  {row.note}".rstrip()
                for row in rows
            ]
    return "\n".join(lines)


def describe_outcome(explanation):
    """Return rank and score of the label, or the level at which the beam dropped it."""
    if explanation.rank is not None:
        return f"rank {explanation.rank}, score {explanation.score:.4g}"
    dropped = [[step.level for step in path if not step.kept] for path in explanation.paths]
    levels = sorted({levels[0] for levels in dropped if levels})
    if not levels:
        return "not ranked: not among the labels of the highest scores of any tree"
    return f"not ranked: dropped by the beam at level {' and '.join(map(str, levels))}"


def step_title(step, is_label):
    """Return the name of a step."""
    return f"label {step.name}" if is_label else f"cluster {step.node} ({step.name})"


def describe_ranks(step, beam_width, is_label):
    """Return the ranks of a step among its siblings and among all that the search scored.

    A custom matcher scores all clusters of its level, not only siblings.
    """
    compared = "clusters of the level" if step.source == "matcher" else "siblings"
    if step.sibling_rank is None:
        among_siblings = "no score"
    else:
        among_siblings = f"rank {step.sibling_rank} of {step.n_siblings} {compared}"
    if step.beam_rank is None:
        among_scored = "not reached by the search"
    else:
        nodes = "labels" if is_label else "clusters"
        among_scored = f"{step.beam_rank} of {step.n_scored} scored {nodes}"
    if is_label:
        return f"{among_siblings}, {among_scored}"
    beam = "no beam limit" if beam_width is None else f"beam width {beam_width}"
    is_dropped_here = step.beam_rank is not None and not step.kept
    return f"{among_siblings}, {among_scored}; {beam}{': dropped here' if is_dropped_here else ''}"


def describe_scores(step):
    """Return margin and scores of a step."""
    lift = f" x {step.lift:.3g} (propensity weight)" if step.lift != 1 else ""
    scores = f"score {step.own_score:.4g}{lift}, path score {step.joint_score:.4g}"
    if step.source == "linear":
        return f"margin {step.margin:.4g}, {scores}"
    if step.source == "parent":
        return f"{scores}; an only child has the score of its cluster"
    return f"{scores}; from the custom {step.source}, which has no feature weights"


def contribution_rows(step, n_features):
    """Return the list of `ContributionRow` of a step: the `n_features` largest and the rest."""
    if step.source != "linear":
        return []
    if step.intercept <= UNTRAINED_INTERCEPT:
        return [ContributionRow("intercept", step.intercept, "never trained: no training rows")]
    listed = slice(n_features)
    rows = [
        ContributionRow(name, float(contribution), f"{value:.3g} x {weight:.3g}")
        for name, contribution, value, weight in zip(
            step.names[listed],
            step.contributions[listed],
            step.values[listed],
            step.weights[listed],
            strict=True,
        )
    ]
    others = step.contributions[n_features:]
    if len(others):
        noun = "feature" if len(others) == 1 else "features"
        rows.append(ContributionRow(f"{len(others)} more {noun}", float(np.sum(others)), ""))
    return [*rows, ContributionRow("intercept", step.intercept, "")]
