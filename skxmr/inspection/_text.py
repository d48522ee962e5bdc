"""Explanations and trees as plain text."""

import numpy as np

from skxmr._linear.level_weights import UNTRAINED_INTERCEPT


def explanation_text(explanation):
    """Return the report of an `Explanation`."""
    lines = [f"{explanation.label_name}: {outcome(explanation)}"]
    for tree, path in enumerate(explanation.paths):
        if len(explanation.paths) > 1:
            lines.append(f"\ntree {tree + 1} of {len(explanation.paths)}")
        for step in path:
            is_label = step is path[-1]
            lines.append(f"\nlevel {step.level}, {step_title(step, is_label)}")
            lines.append(f"  {search_note(step, explanation.beam_width, is_label)}")
            lines.append(f"  {score_note(step)}")
            rows = contribution_rows(step, explanation.n_features)
            width = max((len(name) for name, _, _ in rows), default=0)
            lines += [f"    {c:+8.3f}  {name:<{width}}  {how}".rstrip() for name, c, how in rows]
    return "\n".join(lines)


def outcome(explanation):
    """Return what became of the label, in a few words."""
    if explanation.rank is not None:
        return f"ranked {ordinal(explanation.rank)}, score {explanation.score:.4g}"
    lost = [next(step.level for step in path if not step.kept) for path in explanation.paths]
    where = " and ".join(str(level) for level in sorted(set(lost)))
    return f"not ranked: the beam lost it on level {where}"


def step_title(step, is_label):
    """Return what a step leads to."""
    return f"label {step.name}" if is_label else f"cluster {step.node} ({step.name})"


def search_note(step, beam_width, is_label):
    """Return how a step stood among its siblings, and among all that the beam scored."""
    place = "without a score"
    if step.sibling_rank is not None:
        place = f"{ordinal(step.sibling_rank)} of {step.n_siblings} siblings"
    if step.beam_rank is None:
        where = "the search did not come here"
    else:
        where = f"{ordinal(step.beam_rank)} of {step.n_scored} scored"
    if is_label:
        return f"{place}; {where}"
    keeps = "the beam keeps all" if beam_width is None else f"the beam keeps {beam_width}"
    fate = keeps if step.kept or step.beam_rank is None else f"{keeps}: lost here"
    return f"{place}; {where}; {fate}"


def score_note(step):
    """Return the numbers of a step."""
    lifted = f", times {step.lift:.3g} for its rarity" if step.lift != 1 else ""
    joint = f"{step.own_score:.4g}{lifted}; of the path so far {step.joint_score:.4g}"
    if step.source == "linear":
        return f"margin {step.margin:.4g}, score {joint}"
    return f"score {joint}; from the {step.source} given, which has no weights to show"


def contribution_rows(step, n_features):
    """Return (name, contribution, how it came about) of what to show of a step."""
    if step.source != "linear":
        return []
    if step.intercept <= UNTRAINED_INTERCEPT:
        return [("intercept", step.intercept, "no training row: never trained")]
    shown = slice(n_features)
    rows = [
        (name, float(c), f"{v:.3g} x {w:.3g}")
        for name, c, v, w in zip(
            step.names[shown],
            step.contributions[shown],
            step.values[shown],
            step.weights[shown],
            strict=True,
        )
    ]
    rest = step.contributions[n_features:]
    if len(rest):
        noun = "feature" if len(rest) == 1 else "features"
        rows.append((f"{len(rest)} more {noun}", float(np.sum(rest)), ""))
    return [*rows, ("intercept", step.intercept, "")]


def ordinal(n):
    """Return 1st, 2nd, 3rd, 4th, ..."""
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"
