"""Explanations and trees as HTML for notebooks."""

from html import escape

from skxmr.inspection._axes import BLUE, ORANGE
from skxmr.inspection._text import (
    contribution_rows,
    describe_outcome,
    describe_ranks,
    describe_scores,
    step_title,
)

# Width of the bar of the largest contribution, in pixels.
MAX_BAR_WIDTH = 120


def explanation_html(explanation):
    """Return an `Explanation` as nested details elements with bars."""
    parts = [f"<b>{escape(explanation.label_name)}</b>: {escape(describe_outcome(explanation))}"]
    n_trees = len(explanation.paths)
    for tree, path in enumerate(explanation.paths):
        body = "".join(_step_html(step, step is path[-1], explanation) for step in path)
        if n_trees > 1:
            body = _details_html(f"tree {tree + 1} of {n_trees}", body, is_open=tree == 0)
        parts.append(body)
    return f'<div class="skxmr-explanation">{"".join(parts)}</div>'


def tree_html(description):
    """Return a `TreeDescription` as nested details elements."""
    body = "".join(_cluster_html(cluster) for cluster in description.clusters)
    return _details_html(escape(description.title), body, is_open=True)


def _step_html(step, is_label, explanation):
    summary = escape(f"level {step.level}, {step_title(step, is_label)}")
    ranks = escape(describe_ranks(step, explanation.beam_width, is_label))
    scores = escape(describe_scores(step))
    rows = contribution_rows(step, explanation.n_features)
    largest = max((abs(row.contribution) for row in rows), default=0.0) or 1.0
    table = "".join(_row_html(row, largest) for row in rows)
    return _details_html(summary, f"{ranks}<br>{scores}<table>{table}</table>", is_open=True)


def _row_html(row, largest):
    color = BLUE if row.contribution >= 0 else ORANGE
    width = round(MAX_BAR_WIDTH * abs(row.contribution) / largest)
    style = f"display:inline-block;height:0.8em;width:{width}px;background:{color}"
    return (
        f'<tr><td style="text-align:left">{escape(row.name)}</td>'
        f'<td style="text-align:right">{row.contribution:+.3f}</td>'
        f'<td style="text-align:left"><span style="{style}"></span></td>'
        f'<td style="text-align:left;opacity:0.7">{escape(row.note)}</td></tr>'
    )


def _cluster_html(cluster):
    summary = f"<b>{escape(cluster.title)}</b> {escape(', '.join(cluster.features))}"
    labels = f'<div style="opacity:0.8">{escape(cluster.labels_text)}</div>'
    body = labels + "".join(_cluster_html(child) for child in cluster.children)
    return _details_html(summary, body, is_open=False)


def _details_html(summary, body, *, is_open):
    # Both texts are HTML, escaped by the caller.
    return (
        f"<details{' open' if is_open else ''}><summary>{summary}</summary>"
        f'<div style="margin-left:1.5em">{body}</div></details>'
    )
