"""Measure a model that is served from memory maps: load, first query, load test, memory.

The model is asked for single rows, in a process and through the server of examples/serving. Its
rows are made texts, a word a feature, so that the server has a vectorizer to run; words count alike,
so the rankings are not those of the rows. README.md, beside this file, says what the figures are.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import data
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
    vectorizer = TfidfVectorizer(
        vocabulary=[f"w{j}" for j in range(n_features)], use_idf=False, dtype=np.float32
    ).fit([""])
    names = np.array([f"label{i}" for i in range(n_labels)])
    save_model(Pipeline([("v", vectorizer), ("c", fitted)]), served, extras={"names": names})
    rows = test_rows(folder)
    rows = rows[: min(TEXTS, rows.shape[0])]
    texts = [
        " ".join(f"w{j}" for j in rows.indices[start:stop])
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
    """Return the memory of a process in MB, or None where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return None
    kb = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    own = kb["Private_Clean"] + kb["Private_Dirty"]
    return {"rss": kb["Rss"] / 1e3, "pss": kb["Pss"] / 1e3, "own": own / 1e3}


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
        "memory_mb": memory("self"),
    }


def ask_alone(served, texts, batch, seconds):
    """Ask in this process for rows, for texts, and for batches of texts; texts a second each."""
    vectorizer, classifier = load_model(served, mmap_mode="r")
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
    took, end = [], time.perf_counter() + seconds
    while (asked := time.perf_counter()) < end:
        ask(len(took))
        took.append(time.perf_counter() - asked)
    return figures(np.array(took), np.sum(took))


def figures(took, seconds):
    """Return what is said of the times of requests, which took so long together."""
    p50, p99 = np.quantile(took, (0.5, 0.99)) * 1e3
    return {"per_s": len(took) / seconds, "p50_ms": p50, "p99_ms": p99}


# -- Through the server ----------------------------------------------------------------------------


@contextlib.contextmanager
def running(served, workers):
    """Run the server; yield its port and the process ids of its workers."""
    command = [sys.executable, SERVER, served, "--port", "0", "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            said = re.fullmatch(r"http://.*:(\d+) by processes (.*)\n", server.stdout.readline())
            yield int(said[1]), [int(pid) for pid in said[2].split(", ")]
        finally:
            server.terminate()


def as_request(texts):
    body = json.dumps({"texts": texts, "k": K}).encode()
    head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Connection:
    """A connection that is kept: one request at a time, the next when the answer is there.

    It reads no more of HTTP than it must: the load is to be small beside what it loads.
    """

    def __init__(self, port, requests, first):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests, self.place = requests, first

    def ask(self):
        self.place = (self.place + 1) % len(self.requests)
        self.answer = b""
        self.asked = time.perf_counter()
        self.socket.sendall(self.requests[self.place])

    def read(self):
        """Return the seconds that the answer took, or None if it is not whole."""
        self.answer += self.socket.recv(2**18)
        head, _, body = self.answer.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        if length is None or len(body) < int(length[1]):
            return None
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server refused: {body.decode()}")
        return time.perf_counter() - self.asked


def keep_asking(port, requests, n_connections, seconds, barrier, results):
    """Be a client: keep all connections busy; report times, and seconds by the clock and of CPU."""
    connections = [
        Connection(port, requests, len(requests) * i // n_connections) for i in range(n_connections)
    ]
    took = []
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        barrier.wait()
        start, cpu = time.perf_counter(), time.process_time()
        for connection in connections:
            connection.ask()
        while time.perf_counter() < start + seconds:
            for key, _ in selector.select(1):
                if (one := key.data.read()) is not None:
                    took.append(one)
                    key.data.ask()
        results.put((took, time.perf_counter() - start, time.process_time() - cpu))


def load_test(port, requests, n_connections, n_clients, seconds):
    """Load the server from several processes, each with its share of the connections."""
    context = multiprocessing.get_context("spawn")
    n_clients = min(n_clients, n_connections)
    barrier, results = context.Barrier(n_clients), context.Queue()
    shares = [
        n_connections // n_clients + (i < n_connections % n_clients) for i in range(n_clients)
    ]
    clients = [
        context.Process(target=keep_asking, args=(port, requests, share, seconds, barrier, results))
        for share in shares
    ]
    for client in clients:
        client.start()
    took, wall, cpu = zip(*[results.get(timeout=60 + seconds) for _ in clients], strict=True)
    for client in clients:
        client.join()
    return {**figures(np.concatenate(took), max(wall)), "client_cpus": sum(cpu) / max(wall)}


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
    single = [as_request([text]) for text in texts]
    large = [as_request(chosen(texts, i, args.batch)) for i in range(200)]
    lines, memories = [], {}
    for workers in args.workers:
        with running(served, workers) as (port, pids):
            load_test(port, single, 8 * workers, 1, 2)  # each worker has seen some
            cases = [(n, single, 1) for n in args.connections]
            for n, requests, size in [*cases, (max(args.connections), large, args.batch)]:
                line = load_test(port, requests, n, args.clients, args.seconds)
                lines.append({"workers": workers, "connections": n, "texts": size, **line})
            memories[workers] = [memory(pid) for pid in pids]
    return lines, memories


def show(facts, lines, alone, load, memories, batch):
    print(
        f"{facts['name']}: {facts['n_labels']} labels, {facts['n_features']} features, "
        f"{facts['words_per_text']:.0f} words a text, folder {facts['folder_mb']:.0f} MB\n"
    )
    rows = [
        ["", "load, ms", "first, ms", "then p50, ms", "p99, ms", "faults", "Rss, MB", "own, MB"]
    ]
    for name, line in lines.items():
        cells = [report.short(line[key]) for key in ("load_ms", "first_ms", "p50_ms", "p99_ms")]
        used = line["memory_mb"] or {}
        used = [f"{used[key]:.0f}" if used else "-" for key in ("rss", "own")]
        rows.append([name, *cells, str(line["disk_faults"]), *used])
    print(report.align(rows), "\n")
    rows = [["workers, connections, texts a request", "texts/s", "p50, ms", "p99, ms", "client"]]
    sizes = {"row": 1, "text": 1, "batch": batch}
    for what, line in alone.items():
        cells = [line["per_s"] * sizes[what], line["p50_ms"], line["p99_ms"]]
        title = {"row": "no server, a row", "text": "no server, a text"}.get(what)
        rows.append([title or f"no server, {batch} texts", *map(report.short, cells), ""])
    for line in load:
        title = f"{line['workers']}, {line['connections']}, {line['texts']}"
        cells = [line["per_s"] * line["texts"], line["p50_ms"], line["p99_ms"], line["client_cpus"]]
        rows.append([title, *map(report.short, cells)])
    print(report.align(rows), "\n")
    if any(one is None for used in memories.values() for one in used):
        print("This system does not tell how memory is shared.")
        return
    rows = [["workers", "Rss of each, MB", "Pss of each, MB", "own of each, MB", "Pss of all, MB"]]
    for workers, used in memories.items():
        each = [", ".join(f"{one[key]:.0f}" for one in used) for key in ("rss", "pss", "own")]
        rows.append([str(workers), *each, f"{sum(one['pss'] for one in used):.0f}"])
    print(report.align(rows))


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
