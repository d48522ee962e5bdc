"""What is made of the measurements of scale.py: tables in a page, and a picture of them."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import report

DOC = Path(__file__).resolve().parents[1] / "doc"
PAGE = DOC / "benchmarks" / "scale.md"
# What stands between these lines of the page is made here.
BEGIN, END = "<!-- made by benchmarks/scale.py --report -->", "<!-- end of what it makes -->"

# Title, key of the turn, factor.
FIT = [
    ("fit, wall s", "fit_wall_s", 1),
    ("fit, CPU s", "fit_cpu_s", 1),
    ("memory, GB", "fit_peak_mb", 1e-3),
    ("before, GB", "before_fit_mb", 1e-3),
    ("model, GB", "model_mb", 1e-3),
    ("weights, M", "n_weights", 1e-6),
]
PREDICTION = [
    ("load, ms", "load_wall_s", 1e3),
    ("first row, ms", "first_wall_s", 1e3),
    ("batch, CPU us/row", "batch_cpu_us", 1),
    ("one row, p50 us", "single_p50_us", 1),
    ("p99 us", "single_p99_us", 1),
    ("P@1", "p_at_1", 1),
    ("P@3", "p_at_3", 1),
    ("P@5", "p_at_5", 1),
]
GROWTH = [
    ("fit, CPU s", "fit_cpu_s"),
    ("memory", "fit_peak_mb"),
    ("model", "model_mb"),
    ("batch", "batch_cpu_us"),
    ("one row, p50", "single_p50_us"),
]


def read(path):
    """Read the records of a file."""
    with open(path, encoding="utf-8") as file:
        records = [json.loads(line) for line in file if line.strip()]
    if not any(record["turn"] for record in records if "turn" in record):
        raise ValueError("nothing was measured")
    return records


def join(records):
    """Join the turns of a line on the same data: the least of each figure counts.

    Returns
    -------
    rows : list of dict
        With the data, the name of the line, its figures, and the last record if none was measured
        to the end; by number of labels, skxmr first.
    """
    groups = {}
    for record in records:
        if "turn" in record:
            key = json.dumps([record["data"], record["line"]], sort_keys=True)
            groups.setdefault(key, []).append(record)
    rows = []
    for group in groups.values():
        last = group[-1]
        whole = [record["turn"] for record in group if record["status"] == "measured"]
        rows.append(
            {
                "data": last["data"],
                "line": last["line"],
                "figures": report.least(whole) if whole else last["turn"],
                "unfinished": None if whole else last,
            }
        )
    return sorted(
        rows,
        key=lambda row: (
            row["data"]["n_labels"],
            row["data"]["labels_per_row"],
            not row["line"].startswith("skxmr"),
            row["line"],
        ),
    )


def pairs(row):
    """Return how many (row, label) there are to train on."""
    return row["data"]["n_train"] * row["data"]["labels_per_row"]


def cell(row, key, factor):
    """Write a figure; of a fit that was stopped, the memory that it had."""
    value = row["figures"].get(key)
    if value is not None:
        digits = key.startswith("p_at_")
        return f"{value:.2f}" if digits else report.short(value * factor)
    stopped = row["unfinished"]
    if key == "fit_peak_mb" and stopped is not None and stopped["status"] == "stopped":
        return f"> {stopped['memory_limit_gb']:g}"
    return "-"


def table(rows, columns, *, describe):
    """Make a table of the rows; `describe` adds columns for the data."""
    sizes = ["rows", "labels a row"] if describe else []
    cells = [["labels", *sizes, "line", *(title for title, *_ in columns)]]
    for row in rows:
        data = row["data"]
        described = [f"{data['n_train']:,}", f"{data['labels_per_row']:.1f}"] if describe else []
        figures = [cell(row, key, factor) for _, key, factor in columns]
        cells.append([f"{data['n_labels']:,}", *described, row["line"], *figures])
    return report.align(cells)


def growth(rows):
    """Make a table of how many times more each size of a line takes than the one before."""
    cells = [["labels", "line", "labels", "pairs", *(title for title, _ in GROWTH)]]
    for line in dict.fromkeys(row["line"] for row in rows):
        own = [row for row in rows if row["line"] == line and row["unfinished"] is None]
        for first, second in pairwise(own):
            labels = [row["data"]["n_labels"] for row in (first, second)]
            ratios = [labels[1] / labels[0], pairs(second) / pairs(first)]
            ratios += [second["figures"][key] / first["figures"][key] for _, key in GROWTH]
            place = f"{labels[0]:,} to {labels[1]:,}"
            cells.append([place, line, *(f"{ratio:.2f}" for ratio in ratios)])
    return report.align(cells) if len(cells) > 1 else ""


def notes(records):
    """Return the circumstances, a sentence each."""
    lines = []
    for record in records:
        machine = record["machine"]
        lines.append(
            f"{machine['cpu']}, {machine['cores']} cores, {machine['os']}; fits on "
            f"{record['threads']} threads, prediction on one."
        )
        versions = ", ".join(f"{what} {number}" for what, number in record["versions"].items())
        lines.append(f"{record['peer']}: {versions}.")
        if record["status"] != "measured":
            what = f"{record['phase']} {record['status']}, {record['reason']}"
            lines.append(f"{_place(record)}: {what}.")
    loads = [record["load_average"][0] for record in records if record["load_average"]]
    # The line before has left a load of its threads.
    if loads and max(loads) > max(record["threads"] for record in records) + 0.5:
        lines.append(
            f"The load at the start of a line was {min(loads):.2f} to {max(loads):.2f}: something "
            "else was running. Times by the clock and percentiles are not to be trusted."
        )
    dates = sorted(record["date"][:10] for record in records)
    lines.append("Measured on " + " to ".join(dict.fromkeys([dates[0], dates[-1]])) + ".")
    return "\n".join(f"- {line}" for line in dict.fromkeys(lines))


def _place(record):
    return f"{record['line']} at {record['data']['n_labels']:,} labels"


def one_line(record):
    """Say what a turn found, in a line."""
    if record["status"] != "measured":
        what = f"{record.get('phase', '')} {record['status']}".strip()
        return f"{_place(record)}: {what} ({record['reason']})"
    row = {"figures": record["turn"], "unfinished": None}
    columns = FIT[:3] + FIT[4:5] + PREDICTION
    figures = [f"{title} {cell(row, key, factor)}" for title, key, factor in columns]
    return f"{_place(record)}: {'; '.join(figures)}"


def generated(records):
    """Return the part of the page that is made of the records."""
    records = [record for record in records if "turn" in record]
    rows = join(records)
    parts = [
        table(rows, FIT, describe=True),
        table(rows, PREDICTION, describe=False),
        "How many times more a size takes than the one before:",
        growth(rows),
        notes(records),
    ]
    return "\n\n".join(part for part in parts if part)


def write(path, page=PAGE):
    """Put the tables of a file of records into the page, and draw them."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} must have the lines {BEGIN!r} and {END!r}")
    page.write_text(f"{before}{BEGIN}\n\n{generated(read(path))}\n\n{END}{after}", encoding="utf-8")
    return subprocess.run([sys.executable, DOC / "pictures" / "draw.py", "scale"]).returncode
