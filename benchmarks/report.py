"""Reports of measurements: minima over turns, tables, and a description of the environment."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from typing import NamedTuple


class Measure(NamedTuple):
    """A measured value and its row in the table."""

    key: str
    title: str
    has_ratio: bool  # whether the ratio to skxmr is shown


MEASURES = [
    Measure("fit_cpu_s", "fit, CPU s", True),
    Measure("fit_wall_s", "fit, wall s", True),
    Measure("batch_cpu_us", "batch, CPU us/row", True),
    Measure("single_p50_us", "one row, p50 us", True),
    Measure("single_p99_us", "one row, p99 us", True),
    Measure("p_at_1", "P@1, %", False),
    Measure("p_at_3", "P@3, %", False),
    Measure("p_at_5", "P@5, %", False),
    Measure("model_mb", "model, MB", True),
    Measure("fit_peak_mb", "memory, peak of fit, MB", True),
    Measure("before_fit_mb", "memory, before fit, MB", False),
]


def describe_machine():
    """Describe this machine without its name."""
    return {
        "cpu": _get_cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "os": platform.platform(),
    }


def _get_cpu_model():
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


def get_load_average():
    """Return the load averages of 1, 5 and 15 minutes, or None if the system has none."""
    return list(os.getloadavg()) if hasattr(os, "getloadavg") else None


def describe_run(threads, normalized=True):
    """Describe the environment and the settings of a benchmark."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "load_average": get_load_average(),
        "threads": threads,
        "normalized": normalized,
    }


def write_json(path, measured):
    """Write all measurements as JSON."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(measured, file, indent=1)
        file.write("\n")


def get_exit_status(results):
    """Return 1 if an installed peer failed, otherwise 0."""
    return int(any(result["status"] == "failed" for result in results.values()))


def take_minima(turns):
    """Return the minimum of each measurement over the turns, because noise only increases times.

    Precision is taken from the first turn. Its minimum would be unfair to peers without a seed.
    """
    summary = {}
    for key, value in turns[0].items():
        values = [turn[key] for turn in turns]
        is_from_first_turn = key.startswith("p_at_") or value is None
        summary[key] = value if is_from_first_turn else min(values)
    return summary


def compute_ratios(summary, reference):
    """Divide the measurements of a peer by those of skxmr, the `reference`."""
    return {
        key: summary[key] / reference[key]
        for key, _, has_ratio in MEASURES
        if has_ratio and summary.get(key) is not None and reference.get(key)
    }


def make_table(peers):
    """Return a Markdown table with one row per measurement and one column per measured peer."""
    measured = {name: peer for name, peer in peers.items() if "summary" in peer}
    rows = [["", *measured]]
    for key, title, _ in MEASURES:
        rows.append([title, *(_format_cell(peer, key) for peer in measured.values())])
    return align_table(rows)


def align_table(rows):
    """Return a Markdown table of rows of text; the first row is the header."""
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


def _format_cell(peer, key):
    value = peer["summary"].get(key)
    # Time and size of a fit with a sample of the labels are scaled up. Memory cannot be scaled.
    is_sample = peer["summary"]["scale"] > 1
    if value is None or (is_sample and key in ("fit_peak_mb", "before_fit_mb")):
        return "-"
    ratio = peer.get("ratios", {}).get(key)
    text = format_number(value) + (f" ({format_number(ratio)}x)" if ratio is not None else "")
    return f"~{text}" if is_sample else text


def format_number(value):
    """Return a number with three significant digits, or all digits of a larger integer part."""
    for limit, digits in [(0.0995, 4), (0.995, 3), (9.95, 2), (99.5, 1)]:
        if value < limit:
            return f"{value:.{digits}f}"
    return f"{value:.0f}"


def format_versions(versions):
    """Return package versions as text."""
    return ", ".join(f"{package} {version}" for package, version in versions.items())


def make_heading(environment, sizes, turns):
    """Return the lines above the table."""
    machine = environment["machine"]
    return (
        f"{sizes['name']}: {sizes['n_train']} training rows, {sizes['n_test']} test rows, "
        f"{sizes['n_features']} features, {sizes['n_labels']} labels\n"
        f"{machine['cpu']}, {machine['cores']} cores, {machine['os']}; "
        f"threads {environment['threads']}, {turns}, {environment['date']}"
    )


def make_notes(peers, load):
    """Return the lines below the table."""
    lines = []
    for name, peer in peers.items():
        if peer["status"] == "measured":
            versions = format_versions(peer["versions"])
            lines.append(f"{name}: {versions}")
        else:
            lines.append(f"{name}: {peer['status']} ({peer['reason']})")
    summaries = [peer["summary"] for peer in peers.values() if "summary" in peer]
    if any(summary["scale"] > 1 for summary in summaries):
        lines.append("~: fitted on a sample of the labels, scaled up to all labels with a row.")
    if any(summary.get("fit_peak_mb") is None for summary in summaries):
        lines.append("Peak memory is not measured on Windows, where Python has no resource module.")
    if load is not None and load[0] > 0.5:
        lines.append(
            f"The load average was {load[0]:.2f} at the start, so other programs were running. "
            "Wall times and percentiles are unreliable. Ratios of CPU seconds are approximate."
        )
    return lines
