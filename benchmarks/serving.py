"""Measure a model that is served from memory maps: load, first query, load test, memory.

The model is queried with single rows, in a process and through `skxmr serve`. Rows are converted to
texts with one word per feature, so that the server also runs a vectorizer. All words have the same
weight, so the rankings differ from those of the original rows. See README.md in this folder for the
figures.
"""

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
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
from skxmr.persistence import load_named_model

try:
    import resource
except ImportError:  # Windows
    resource = None

N_TEXTS = 5000  # number of different texts; they are repeated
N_WARM_UP = 200
K = 10


def parse_arguments(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    add = parser.add_argument
    add(
        "folder",
        type=options.data_folder,
        metavar="DIR",
        help="folder of a data set",
    )
    add("--model", metavar="MODEL", help="folder of a saved XRLinearClassifier (default: fit)")
    add("--workers", type=options.positive, nargs="+", default=[1, 2], metavar="N")
    add("--connections", type=options.positive, nargs="+", default=[1, 4, 16], metavar="N")
    add(
        "--clients",
        type=options.positive,
        default=1,
        metavar="N",
        help="client processes",
    )
    add(
        "--batch",
        type=options.positive,
        default=32,
        metavar="N",
        help="texts per large request",
    )
    add(
        "--seconds",
        type=options.positive,
        default=5,
        metavar="N",
        help="seconds per load test",
    )
    add("--output", type=options.output_file, default="serving.json", metavar="FILE")
    return parser.parse_args(argv)


def read_test_rows(folder):
    """Return the test rows; do not read the training rows if they have separate files."""
    if data.find_files(folder) == data.NPZ:
        return sp.csr_matrix(sp.load_npz(os.path.join(folder, "X_test.npz")))
    return data.read(folder)[2]


def save_pipeline(folder, model, served):
    """Save the pipeline that is served; return query texts and a description."""
    if model is None:
        X, Y = data.prepare(data.read(folder), normalized=True)[:2]
        fitted = XRLinearClassifier(n_jobs=-1, random_state=SEED).fit(X, Y)
    else:
        fitted = load_model(model, mmap_mode="r")
    n_features, n_labels = fitted.n_features_in_, len(fitted.classes_)
    words = [f"w{j:07}" for j in range(n_features)]  # already in the sort order of fit
    vectorizer = TfidfVectorizer(use_idf=False, dtype=np.float32).fit([" ".join(words)])
    names = np.array([f"label{i}" for i in range(n_labels)])
    save_model(Pipeline([("v", vectorizer), ("c", fitted)]), served, extras={"names": names})
    rows = read_test_rows(folder)
    rows = rows[: min(N_TEXTS, rows.shape[0])]
    texts = [
        " ".join(words[j] for j in rows.indices[start:stop])
        for start, stop in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
    ]
    size = sum(file.stat().st_size for file in Path(served).iterdir())
    description = {
        "name": os.path.basename(os.path.abspath(folder)),
        "n_features": n_features,
        "n_labels": n_labels,
        "words_per_text": rows.nnz / rows.shape[0],
        "folder_mb": size / 1e6,
    }
    return texts, description


def call_in_process(function, *args):
    """Call a function in a new process, which releases its memory and file mappings at its end."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, args)


def read_memory(pid):
    """Return the memory of a process in MB, or None if the system does not report it.

    A page that n processes share counts fully in the rss of each process, and 1/n in the pss.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return None
    kb = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return {"rss": kb["Rss"] / 1e3, "pss": kb["Pss"] / 1e3, "own": kb["Anonymous"] / 1e3}


def drop_page_cache(served):
    """Ask the system to drop the cached pages of the files; return whether this is supported."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for file in Path(served).iterdir():
        with open(file, "rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def read_ahead(served):
    """Read the files once, so that their pages are cached; return the seconds."""
    start = time.perf_counter()
    for file in Path(served).glob("*.npy"):
        with open(file, "rb", buffering=0) as stream:
            while stream.read(2**22):
                pass
    return time.perf_counter() - start


def count_disk_faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt if resource else None


def load_and_query(served, texts, mmap_mode):
    """Load the model and query single texts; return milliseconds and the memory at the end."""
    memory_after_import = read_memory("self")
    start = time.perf_counter()
    model = load_named_model(served, mmap_mode=mmap_mode)
    loaded = time.perf_counter()
    faults = count_disk_faults()
    milliseconds = []
    for text in texts[:1001]:
        query_start = time.perf_counter()
        model.suggest([text], k=K)
        milliseconds.append(1e3 * (time.perf_counter() - query_start))
    return {
        "load_ms": 1e3 * (loaded - start),
        "first_ms": milliseconds[0],
        "p50_ms": np.median(milliseconds[1:]),
        "p99_ms": np.quantile(milliseconds[1:], 0.99),
        "disk_faults": None if faults is None else count_disk_faults() - faults,
        "imported_mb": memory_after_import,
        "memory_mb": read_memory("self"),
    }


def query_without_server(served, texts, batch, seconds):
    """Query rows, texts and batches of texts in this process; return figures for each."""
    model = load_named_model(served, mmap_mode="r")
    vectorizer, classifier = model
    classifier.set_params(n_jobs=None)  # as in the workers of the server
    rows = [vectorizer.transform([text]) for text in texts]
    queries = {
        "row": lambda i: classifier.predict_topk(rows[i % len(rows)], k=K),
        "text": lambda i: model.suggest([texts[i % len(rows)]], k=K),
        "batch": lambda i: model.suggest(select_batch(texts, i, batch), k=K),
    }
    return {name: measure_queries(query, seconds) for name, query in queries.items()}


def select_batch(texts, i, batch):
    """Return the i-th batch; the texts are repeated."""
    start = i * batch % max(1, len(texts) - batch)
    return texts[start : start + batch]


def measure_queries(query, seconds):
    for i in range(N_WARM_UP):
        query(i)
    times, end, cpu = [], time.perf_counter() + seconds, time.process_time()
    while (start := time.perf_counter()) < end:
        query(len(times))
        times.append(time.perf_counter() - start)
    return http_load.summarize(np.array(times), np.sum(times), time.process_time() - cpu)


@contextlib.contextmanager
def running_server(served, workers):
    """Run the server; yield its port and the process ids of its workers."""
    options = ["--port", "0", "--workers", str(workers)]
    command = [sys.executable, "-m", "skxmr", "serve", served, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().split()[0].removeprefix("http://")
            pids = set()
            while len(pids) < workers:  # each new connection is answered by any worker
                connection = http.client.HTTPConnection(address)
                connection.request("GET", "/health")
                pids.add(json.load(connection.getresponse())["process"])
                connection.close()
            yield int(address.rpartition(":")[2]), sorted(pids)
        finally:
            server.terminate()


def measure_loading(served, texts):
    """Measure loading and first queries, with and without cached files and memory maps."""
    lines = {}
    if drop_page_cache(served):
        lines["mapped, nothing in memory"] = call_in_process(load_and_query, served, texts, "r")
        drop_page_cache(served)
    lines["mapped, read ahead"] = {
        "read_ahead_s": call_in_process(read_ahead, served),
        **call_in_process(load_and_query, served, texts, "r"),
    }
    lines["loaded (`mmap_mode=None`)"] = call_in_process(load_and_query, served, texts, None)
    return lines


def measure_server(served, texts, args):
    """Run load tests of the server with each number of workers."""
    single = [http_load.make_request([text], K) for text in texts]
    large = [http_load.make_request(select_batch(texts, i, args.batch), K) for i in range(200)]
    lines, memories = [], {}
    for workers in args.workers:
        with running_server(served, workers) as (port, pids):
            http_load.load_test(port, pids, single, 8 * workers, 1, 2)  # warm-up of all workers
            cases = [(n, single, 1) for n in args.connections]
            for n, requests, size in [*cases, (max(args.connections), large, args.batch)]:
                line = http_load.load_test(port, pids, requests, n, args.clients, args.seconds)
                lines.append({"workers": workers, "connections": n, "texts": size, **line})
            memories[workers] = [read_memory(pid) for pid in pids]
    return lines, memories


def print_report(description, lines, without_server, load, memories, batch):
    print(
        f"{description['name']}: {description['n_labels']} labels, "
        f"{description['n_features']} features, "
        f"{description['words_per_text']:.0f} words per text, "
        f"folder {description['folder_mb']:.0f} MB\n"
    )
    rows = [
        ["", "load, ms", "first text, ms", "next p50, ms", "p99, ms", "disk faults", "private, MB"]
    ]
    for name, line in lines.items():
        cells = [
            report.format_number(line[key]) for key in ("load_ms", "first_ms", "p50_ms", "p99_ms")
        ]
        after, before = line["memory_mb"], line["imported_mb"]
        private = f"{after['own'] - before['own']:.0f}" if after else "-"
        rows.append([name, *cells, str(line["disk_faults"]), private])
    print(report.align_table(rows), "\n")

    head = ["server", "connections", "texts per request", "texts/s", "CPU ms per text"]
    rows = [[*head, "request p50, ms", "p99, ms"]]
    for name, line in without_server.items():
        size = batch if name == "batch" else 1
        server = "none, row input" if name == "row" else "none"
        rows.append([server, "-", str(size), *_format_cells(line, size)])
    for line in load:
        size, workers = line["texts"], line["workers"]
        name = f"{workers} worker{'s' * (workers > 1)}"
        rows.append([name, str(line["connections"]), str(size), *_format_cells(line, size)])
    print(report.align_table(rows), "\n")

    if any(memory is None for worker_memories in memories.values() for memory in worker_memories):
        print("This system does not report how memory is shared.")
        return
    rows = [
        [
            "workers",
            "Rss per worker, MB",
            "Pss per worker, MB",
            "private per worker, MB",
            "total Pss, MB",
        ]
    ]
    for workers, used in memories.items():
        cells = [", ".join(f"{m[key]:.0f}" for m in used) for key in ("rss", "pss", "own")]
        rows.append([str(workers), *cells, f"{sum(m['pss'] for m in used):.0f}"])
    print(report.align_table(rows))


def _format_cells(line, size):
    values = line["per_s"] * size, line["cpu_ms"] / size, line["p50_ms"], line["p99_ms"]
    return [report.format_number(value) for value in values]


def main():
    args = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        served = os.path.join(folder, "served.model")
        texts, description = call_in_process(save_pipeline, args.folder, args.model, served)
        environment = {
            "machine": report.describe_machine(),
            "load_average": report.get_load_average(),
        }
        lines = measure_loading(served, texts)
        read_ahead(served)
        without_server = call_in_process(
            query_without_server, served, texts, args.batch, args.seconds
        )
        load, memories = measure_server(served, texts, args)
    print_report(description, lines, without_server, load, memories, args.batch)
    measured = {"opened": lines, "alone": without_server, "load_test": load, "memory_mb": memories}
    report.write_json(
        args.output, {**environment, **description, "options": vars(args), **measured}
    )


if __name__ == "__main__":
    main()
