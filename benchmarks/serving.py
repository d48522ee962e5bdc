"""Measure a model that is served from memory maps: load, first query, load test, memory.

The model is asked for single rows, in a process and through the server of examples/serving. Its
rows are made texts, a word a feature, so that the server has a vectorizer to run. Words count
alike: rankings are not those of the rows. README.md, beside this file, tells what the figures are.
"""

import argparse
import contextlib
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import data
import http_load
import numpy as np
import options
import report
import scipy.sparse as sp
from peer import SEED
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline

from skxmr import XRLinearClassifier, load_model, save_model
from skxmr.persistence import load_extras

try:
    import resource
except ImportError:  # Windows
    resource = None

SERVER = Path(__file__).parents[1] / "examples" / "serving" / "server.py"
TEXTS = 5000  # different ones, asked in turn
K = 10


def parse_arguments(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    add = parser.add_argument
    add("folder", type=options.data_folder, metavar="DIR", help="with the files of a data set")
    add("--model", metavar="MODEL", help="folder of a saved XRLinearClassifier (fits a new one)")
    add("--workers", type=options.positive, nargs="+", default=[1, 2], metavar="N")
    add("--connections", type=options.positive, nargs="+", default=[1, 4, 16], metavar="N")
    add("--clients", type=options.positive, default=1, metavar="N", help="client processes (1)")
    add("--batch", type=options.positive, default=32, metavar="N", help="texts of a large request")
    add("--seconds", type=options.positive, default=5, metavar="N", help="of each load test")
    add("--output", type=options.output_file, default="serving.json", metavar="FILE")
    return parser.parse_args(argv)


def test_rows(folder):
    """Return the rows to ask for, without reading the training rows if they are apart."""
    if data.find_files(folder) == data.NPZ:
        return sp.csr_matrix(sp.load_npz(os.path.join(folder, "X_test.npz")))
    return data.read(folder)[2]


def make_served(folder, model, served):
    """Write the pipeline that is served, and return its texts and some facts."""
    if model is None:
        X, Y = data.prepare(data.read(folder), normalized=True)[:2]
        fitted = XRLinearClassifier(n_jobs=-1, random_state=SEED).fit(X, Y)
    else:
        fitted = load_model(model, mmap_mode="r")
    n_features, n_labels = fitted.n_features_in_, len(fitted.classes_)
    words = [f"w{j:07}" for j in range(n_features)]  # in the order that fit sorts them to
    vectorizer = TfidfVectorizer(use_idf=False, dtype=np.float32).fit([" ".join(words)])
    names = np.array([f"label{i}" for i in range(n_labels)])
    save_model(Pipeline([("v", vectorizer), ("c", fitted)]), served, extras={"names": names})
    rows = test_rows(folder)
    rows = rows[: min(TEXTS, rows.shape[0])]
    texts = [
        " ".join(words[j] for j in rows.indices[start:stop])
        for start, stop in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
    ]
    size = sum(file.stat().st_size for file in Path(served).iterdir())
    facts = {
        "name": os.path.basename(os.path.abspath(folder)),
        "n_features": n_features,
        "n_labels": n_labels,
        "words_per_text": rows.nnz / rows.shape[0],
        "folder_mb": size / 1e6,
    }
    return texts, facts


def in_process(function, *args):
    """Call a function in a fresh process: what it maps and keeps ends with it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, args)


def memory(pid):
    """Return the memory of a process in MB, or None where the system does not tell.

    Pages of files that n processes have count a whole in the rss, and an n-th in the pss, of each.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return None
    kb = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return {"rss": kb["Rss"] / 1e3, "pss": kb["Pss"] / 1e3, "own": kb["Anonymous"] / 1e3}


# -- Without a server ------------------------------------------------------------------------------


def forget(served):
    """Have the system drop the pages of the files, where it can be asked; return whether it was."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for file in Path(served).iterdir():
        with open(file, "rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def read_ahead(served):
    """Read the files once, so that their pages are in memory; return the seconds."""
    start = time.perf_counter()
    for file in Path(served).glob("*.npy"):
        with open(file, "rb", buffering=0) as opened:
            while opened.read(2**22):
                pass
    return time.perf_counter() - start


def disk_faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt if resource else None


def open_and_ask(served, texts, mmap_mode):
    """Load and ask for single texts; return milliseconds, and memory when done."""
    imported = memory("self")
    start = time.perf_counter()
    pipeline = load_model(served, mmap_mode=mmap_mode)
    load_extras(served, mmap_mode=mmap_mode)
    loaded = time.perf_counter()
    vectorizer, classifier = pipeline
    faults = disk_faults()
    took = []
    for text in texts[:1001]:
        asked = time.perf_counter()
        classifier.predict_topk(vectorizer.transform([text]), k=K)
        took.append(1e3 * (time.perf_counter() - asked))
    return {
        "load_ms": 1e3 * (loaded - start),
        "first_ms": took[0],
        "p50_ms": np.median(took[1:]),
        "p99_ms": np.quantile(took[1:], 0.99),
        "disk_faults": None if faults is None else disk_faults() - faults,
        "imported_mb": imported,
        "memory_mb": memory("self"),
    }


def ask_alone(served, texts, batch, seconds):
    """Ask in this process for rows, for texts, and for batches of texts; texts a second each."""
    vectorizer, classifier = load_model(served, mmap_mode="r")
    classifier.set_params(n_jobs=None)  # as in the workers
    rows = [vectorizer.transform([text]) for text in texts]
    asked = {
        "row": lambda i: classifier.predict_topk(rows[i % len(rows)], k=K),
        "text": lambda i: classifier.predict_topk(vectorizer.transform([texts[i % len(rows)]]), K),
        "batch": lambda i: classifier.predict_topk(
            vectorizer.transform(chosen(texts, i, batch)), k=K
        ),
    }
    return {what: timed(ask, seconds) for what, ask in asked.items()}


def chosen(texts, i, batch):
    """Return the i-th batch, going round."""
    start = i * batch % max(1, len(texts) - batch)
    return texts[start : start + batch]


def timed(ask, seconds):
    for i in range(200):
        ask(i)
    took, end, cpu = [], time.perf_counter() + seconds, time.process_time()
    while (asked := time.perf_counter()) < end:
        ask(len(took))
        took.append(time.perf_counter() - asked)
    return http_load.figures(np.array(took), np.sum(took), time.process_time() - cpu)


# -- Through the server ----------------------------------------------------------------------------


@contextlib.contextmanager
def running(served, workers):
    """Run the server; yield its port and the process ids of its workers."""
    command = [sys.executable, SERVER, served, "--port", "0", "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline()
            match = re.fullmatch(r"http://.*:(\d+) \(worker processes (.*)\)\n", line)
            yield int(match[1]), [int(pid) for pid in match[2].split(", ")]
        finally:
            server.terminate()


# -- The report ------------------------------------------------------------------------------------


def opened(served, texts):
    """Measure load and first query in four circumstances."""
    lines = {}
    if forget(served):
        lines["mapped, nothing in memory"] = in_process(open_and_ask, served, texts, "r")
        forget(served)
    lines["mapped, read ahead"] = {
        "read_ahead_s": in_process(read_ahead, served),
        **in_process(open_and_ask, served, texts, "r"),
    }
    lines["loaded (`mmap_mode=None`)"] = in_process(open_and_ask, served, texts, None)
    return lines


def served_lines(served, texts, args):
    """Load the server with each number of workers."""
    single = [http_load.as_request([text], K) for text in texts]
    large = [http_load.as_request(chosen(texts, i, args.batch), K) for i in range(200)]
    lines, memories = [], {}
    for workers in args.workers:
        with running(served, workers) as (port, pids):
            http_load.load_test(port, pids, single, 8 * workers, 1, 2)  # each worker has seen some
            cases = [(n, single, 1) for n in args.connections]
            for n, requests, size in [*cases, (max(args.connections), large, args.batch)]:
                line = http_load.load_test(port, pids, requests, n, args.clients, args.seconds)
                lines.append({"workers": workers, "connections": n, "texts": size, **line})
            memories[workers] = [memory(pid) for pid in pids]
    return lines, memories


def show(facts, lines, alone, load, memories, batch):
    print(
        f"{facts['name']}: {facts['n_labels']} labels, {facts['n_features']} features, "
        f"{facts['words_per_text']:.0f} words a text, folder {facts['folder_mb']:.0f} MB\n"
    )
    rows = [["", "load, ms", "first text, ms", "then p50, ms", "p99, ms", "disk faults", "own, MB"]]
    for name, line in lines.items():
        cells = [report.short(line[key]) for key in ("load_ms", "first_ms", "p50_ms", "p99_ms")]
        after, before = line["memory_mb"], line["imported_mb"]
        own = f"{after['own'] - before['own']:.0f}" if after else "-"
        rows.append([name, *cells, str(line["disk_faults"]), own])
    print(report.align(rows), "\n")

    head = ["server", "connections", "texts a request", "texts/s", "CPU ms a text"]
    rows = [[*head, "request p50, ms", "p99, ms"]]
    for what, line in alone.items():
        size = batch if what == "batch" else 1
        rows.append(
            ["none, a row" if what == "row" else "none", "-", str(size), *_cells(line, size)]
        )
    for line in load:
        size, workers = line["texts"], line["workers"]
        name = f"{workers} worker{'s' * (workers > 1)}"
        rows.append([name, str(line["connections"]), str(size), *_cells(line, size)])
    print(report.align(rows), "\n")

    if any(one is None for used in memories.values() for one in used):
        print("This system does not tell how memory is shared.")
        return
    rows = [["workers", "Rss of each, MB", "Pss of each, MB", "own of each, MB", "Pss of all, MB"]]
    for workers, used in memories.items():
        each = [", ".join(f"{one[key]:.0f}" for one in used) for key in ("rss", "pss", "own")]
        rows.append([str(workers), *each, f"{sum(one['pss'] for one in used):.0f}"])
    print(report.align(rows))


def _cells(line, size):
    values = line["per_s"] * size, line["cpu_ms"] / size, line["p50_ms"], line["p99_ms"]
    return [report.short(value) for value in values]


def main():
    args = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        served = os.path.join(folder, "served.model")
        texts, facts = in_process(make_served, args.folder, args.model, served)
        about = {"machine": report.machine(), "load_average": report.load_average()}
        lines = opened(served, texts)
        read_ahead(served)
        alone = in_process(ask_alone, served, texts, args.batch, args.seconds)
        load, memories = served_lines(served, texts, args)
    show(facts, lines, alone, load, memories, args.batch)
    measured = {"opened": lines, "alone": alone, "load_test": load, "memory_mb": memories}
    report.write(args.output, {**about, **facts, "options": vars(args), **measured})


if __name__ == "__main__":
    main()
