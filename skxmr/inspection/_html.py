"""Explanations and trees as HTML for notebooks."""

from html import escape

from skxmr.inspection._text import (
    contribution_rows,
    outcome,
    score_note,
    search_note,
    step_title,
)

# Colours that can be told apart without seeing red or green, on light pages and on dark.
POSITIVE, NEGATIVE = "#0072B2", "#D55E00"
_BAR = 120  # pixels of the largest contribution


def explanation_html(explanation):
    """Return an `Explanation` as nested details with bars."""
    parts = [f"<b>{escape(explanation.label_name)}</b>: {escape(outcome(explanation))}"]
    several = len(explanation.paths) > 1
    for tree, path in enumerate(explanation.paths):
        body = "".join(_step(step, step is path[-1], explanation) for step in path)
        if several:
            head = f"tree {tree + 1} of {len(explanation.paths)}"
            body = _details(head, body, is_open=tree == 0)
        parts.append(body)
    return f'<div class="skxmr-explanation">{"".join(parts)}</div>'


def _step(step, is_label, explanation):
    head = f"level {step.level}, {step_title(step, is_label)}"
    notes = (search_note(step, explanation.beam_width, is_label), score_note(step))
    rows = contribution_rows(step, explanation.n_features)
    largest = max((abs(c) for _, c, _ in rows), default=0.0) or 1.0
    table = "".join(_bar_row(*row, largest) for row in rows)
    notes = "<br>".join(escape(note) for note in notes)
    return _details(head, f"{notes}<table>{table}</table>", is_open=True)


def _bar_row(name, contribution, how, largest):
    color = POSITIVE if contribution >= 0 else NEGATIVE
    width = round(_BAR * abs(contribution) / largest)
    style = f"display:inline-block;height:0.8em;width:{width}px;background:{color}"
    return (
        f'<tr><td style="text-align:left">{escape(name)}</td>'
        f'<td style="text-align:right">{contribution:+.3f}</td>'
        f'<td style="text-align:left"><span style="{style}"></span></td>'
        f'<td style="text-align:left;opacity:0.7">{escape(how)}</td></tr>'
    )


def tree_html(description):
    """Return a `TreeDescription` as nested details."""
    body = "".join(_cluster(cluster) for cluster in description.clusters)
    return _details(escape(description.title), body, is_open=True, escaped=True)


def _cluster(cluster):
    head = f"<b>{escape(cluster.title)}</b> {escape(', '.join(cluster.features))}"
    labels = f'<div style="opacity:0.8">{escape(cluster.labels_text)}</div>'
    body = labels + "".join(_cluster(child) for child in cluster.children)
    return _details(head, body, is_open=False, escaped=True)


def _details(head, body, *, is_open, escaped=False):
    head = head if escaped else escape(head)
    return (
        f"<details{' open' if is_open else ''}><summary>{head}</summary>"
        f'<div style="margin-left:1.5em">{body}</div></details>'
    )
