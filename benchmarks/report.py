"""What is made of the measurements: the best of all turns, a table, the circumstances."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime

# Key, row of the table, whether a ratio says something.
MEASURES = [
    ("fit_cpu_s", "fit, CPU s", True),
    ("fit_wall_s", "fit, wall s", True),
    ("batch_cpu_us", "batch, CPU us/row", True),
    ("single_p50_us", "one row, p50 us", True),
    ("single_p99_us", "one row, p99 us", True),
    ("p_at_1", "P@1, %", False),
    ("p_at_3", "P@3, %", False),
    ("p_at_5", "P@5, %", False),
    ("model_mb", "model, MB", True),
    ("fit_peak_mb", "memory, peak of fit, MB", True),
    ("before_fit_mb", "memory, before fit, MB", False),
]


def machine():
    """Describe this machine without naming it."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "os": platform.platform(),
    }


def _cpu_model():
    try:
        if platform.system() == "Darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True).stdout.strip()
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def load_average():
    """Return the load averages of 1, 5 and 15 minutes, or None where there are none."""
    return list(os.getloadavg()) if hasattr(os, "getloadavg") else None


def describe_run(threads, normalized=True):
    """Describe where and how a benchmark starts."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "load_average": load_average(),
        "threads": threads,
        "normalized": normalized,
    }


def write(path, measured):
    """Write all that was measured as JSON."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(measured, file, indent=1)
        file.write("\n")


def exit_status(results):
    """Return 1 if a peer that is installed failed, else 0."""
    return int(any(result["status"] == "failed" for result in results.values()))


def least(turns):
    """Take the least of every measurement over the turns: noise only ever adds.

    Precision is that of the first turn, for the least would punish a peer that is not seeded.
    """
    summary = {}
    for key, value in turns[0].items():
        values = [turn[key] for turn in turns]
        first = key.startswith("p_at_") or value is None
        summary[key] = value if first else min(values)
    return summary


def ratios(summary, own):
    """Divide the measurements of a peer by those of skxmr."""
    return {
        key: summary[key] / own[key]
        for key, _, has_ratio in MEASURES
        if has_ratio and summary.get(key) is not None and own.get(key)
    }


def table(peers):
    """Make a Markdown table of the peers that were measured: a row a measurement."""
    measured = {name: peer for name, peer in peers.items() if "summary" in peer}
    rows = [["", *measured]]
    for key, title, _ in MEASURES:
        rows.append([title, *(_cell(peer, key) for peer in measured.values())])
    return align(rows)


def align(rows):
    """Make a Markdown table of rows of text, the first of which is its head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    line = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in [rows[0], line, *rows[1:]]
    )


def _cell(peer, key):
    value = peer["summary"].get(key)
    # Of a sample of the labels: the time and the size are scaled up, the memory cannot be.
    sampled = peer["summary"]["scale"] > 1
    if value is None or (sampled and key in ("fit_peak_mb", "before_fit_mb")):
        return "-"
    ratio = peer.get("ratios", {}).get(key)
    text = short(value) + (f" ({short(ratio)}x)" if ratio is not None else "")
    return f"~{text}" if sampled else text


def short(value):
    """Three digits, or the whole number if it has more."""
    for limit, digits in [(0.0995, 4), (0.995, 3), (9.95, 2), (99.5, 1)]:
        if value < limit:
            return f"{value:.{digits}f}"
    return f"{value:.0f}"


def heading(circumstances, sizes, turns):
    """Return the lines above the table."""
    machine = circumstances["machine"]
    return (
        f"{sizes['name']}: {sizes['n_train']} rows to train, {sizes['n_test']} to test, "
        f"{sizes['n_features']} features, {sizes['n_labels']} labels\n"
        f"{machine['cpu']}, {machine['cores']} cores, {machine['os']}; "
        f"threads {circumstances['threads']}, {turns}, {circumstances['date']}"
    )


def notes(peers, load):
    """Return the lines below the table."""
    lines = []
    for name, peer in peers.items():
        if peer["status"] == "measured":
            versions = ", ".join(f"{what} {number}" for what, number in peer["versions"].items())
            lines.append(f"{name}: {versions}")
        else:
            lines.append(f"{name}: {peer['status']} ({peer['reason']})")
    summaries = [peer["summary"] for peer in peers.values() if "summary" in peer]
    if any(summary["scale"] > 1 for summary in summaries):
        lines.append("~: fitted on a sample of the labels and scaled up to all that have a row.")
    if any(summary.get("fit_peak_mb") is None for summary in summaries):
        lines.append("Peak memory is not measured on Windows: Python has no resource module there.")
    if load is not None and load[0] > 0.5:
        lines.append(
            f"The load was {load[0]:.2f} at the start: something else was running. "
            "Wall times and percentiles are not to be trusted, ratios of CPU seconds roughly."
        )
    return lines
