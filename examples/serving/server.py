"""Serve a saved text model over HTTP, from several processes that share one copy of it.

    python server.py tags.model --workers 2 --port 8080

The model is a folder that ``save_model`` wrote: a pipeline of a vectorizer and an
``XRLinearClassifier``. The names of the labels are saved with it as ``extras={"names": ...}``, as
an array or as a fitted ``MultiLabelBinarizer``. Responses are JSON::

    GET  /health
    GET  /predict?text=histogram+of+an+array&k=3
    POST /predict     {"texts": ["histogram of an array", ...], "k": 3}

If ``save_model`` replaces the model, the server loads the new one within a second. Ctrl-C or
SIGTERM stops the server after pending requests are answered. The server has no encryption and no
authentication: bind it to the loopback address, behind a web server that has both.
"""

import argparse
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import numpy as np
from sklearn.pipeline import Pipeline

from skxmr import XRLinearClassifier, load_model
from skxmr.persistence import load_extras

# Limits of one request.
MAX_BYTES, MAX_TEXTS, MAX_LABELS = 2**20, 1000, 100
# Idle connections are closed after this time.
IDLE_SECONDS = 60
# Time limit for pending requests when the server stops.
GRACE_SECONDS = 10
# Minimum time between two checks for a new model.
RELOAD_SECONDS = 1
# A worker waits so long before it accepts a connection if another worker has fewer.
ACCEPT_DELAY_SECONDS = 0.005


class RequestError(Exception):
    """Invalid request: the HTTP status and the message of the response."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class LoadedModel(NamedTuple):
    """A memory-mapped model.

    Attributes
    ----------
    vectorizer : Pipeline
        Steps that transform texts to rows.
    classifier : XRLinearClassifier
        The classifier.
    names : ndarray of str
        Names of the labels, by column.
    version : tuple of int
        Result of `ServedModel.version_on_disk` when the model was loaded.
    """

    vectorizer: Pipeline
    classifier: XRLinearClassifier
    names: np.ndarray
    version: tuple[int, int]


class ServedModel:
    """The model in a folder; loads it again when the folder is replaced."""

    def __init__(self, path):
        self.path = Path(path)
        self.loaded = self.load()
        self.next_check = time.monotonic() + RELOAD_SECONDS

    def version_on_disk(self):
        """Return inode and modification time of the header, which each `save_model` replaces."""
        status = os.stat(self.path / "header.json")
        return status.st_ino, status.st_mtime_ns

    def load(self):
        """Memory-map the model; pages are read from disk when a prediction needs them."""
        version = self.version_on_disk()
        pipeline = load_model(self.path, mmap_mode="r")
        names = load_extras(self.path, mmap_mode="r").get("names")
        if not isinstance(pipeline, Pipeline) or names is None:
            raise ValueError(
                f"{self.path} must contain a Pipeline from texts to labels, saved with "
                'extras={"names": names of the labels}.'
            )
        names = getattr(names, "classes_", names)
        # The processes already use all cores, so each predicts in a single thread.
        classifier = pipeline[-1].set_params(n_jobs=None)
        if len(names) != len(classifier.classes_):
            raise ValueError(
                f"{self.path} must have one name for each of the {len(classifier.classes_)} "
                f"labels; got {len(names)} names."
            )
        if version != self.version_on_disk():
            raise ValueError(f"{self.path} was replaced while it was loaded. Try again.")
        return LoadedModel(pipeline[:-1], classifier, names, version)

    def newest(self):
        """Return the `LoadedModel`, loaded again if the folder was replaced."""
        if time.monotonic() > self.next_check:
            self.next_check = time.monotonic() + RELOAD_SECONDS
            try:
                if self.loaded.version != self.version_on_disk():
                    self.loaded = self.load()
            except (OSError, ValueError) as error:  # the model is being replaced, or is damaged
                print(f"keeping the previous model: {error}", file=sys.stderr, flush=True)
        return self.loaded

    def predict(self, texts, k):
        """Return the names and scores of the top k labels of each text."""
        model = self.newest()
        rows = model.vectorizer.transform(texts)
        labels, scores = model.classifier.predict_topk(rows, k=k)
        is_label = labels >= 0  # -1 where the search found fewer than k labels
        return {
            "labels": [
                model.names[row[valid]].tolist()
                for row, valid in zip(labels, is_label, strict=True)
            ],
            "scores": [row[valid].tolist() for row, valid in zip(scores, is_label, strict=True)],
        }


class Handler(BaseHTTPRequestHandler):
    """Answer the requests of one connection with JSON."""

    protocol_version = "HTTP/1.1"  # a connection can be used for many requests
    wbufsize = -1  # send headers and body together: two packets would wait for an acknowledgement
    timeout = IDLE_SECONDS

    def do_GET(self):
        # The body of a GET is not read and would be parsed as the next request.
        self.close_connection |= bool({"Content-Length", "Transfer-Encoding"} & {*self.headers})
        self.respond(self.answer_get)

    def do_POST(self):
        self.respond(self.answer_post)

    def respond(self, answer):
        with self.server.pending_request():
            try:
                status, reply = 200, answer(urlsplit(self.path))
            except RequestError as error:
                status, reply = error.status, {"error": str(error)}
                self.close_connection = True  # a part of the request may be unread
            self.close_connection |= self.server.is_stopping
            self.send_json(status, reply)

    def answer_get(self, url):
        if url.path == "/health":
            n_labels = len(self.server.model.newest().names)
            return {"status": "ok", "pid": os.getpid(), "n_labels": n_labels}
        self.check_path(url)
        query = parse_qs(url.query)
        if unknown := query.keys() - {"text", "k"}:
            raise RequestError(
                400, f"query parameters must be text and k; got {', '.join(sorted(unknown))}"
            )
        k = query.get("k", ["10"])[-1]
        return self.predict(query.get("text"), int(k) if k.isdecimal() else k)

    def answer_post(self, url):
        self.check_path(url)
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise RequestError(411, f"Content-Length must be a number of bytes; got {length!r}")
        if int(length) > MAX_BYTES:
            raise RequestError(413, f"the body must be at most {MAX_BYTES} bytes; got {length}")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except ValueError as error:
            raise RequestError(400, f"the body must be JSON: {error}") from None
        if not isinstance(body, dict) or not body.keys() <= {"texts", "k"}:
            raise RequestError(400, 'the body must be an object with only "texts" and "k"')
        return self.predict(body.get("texts"), body.get("k", 10))

    def check_path(self, url):
        if url.path != "/predict":
            raise RequestError(404, f"the path must be /predict or /health; got {url.path}")

    def predict(self, texts, k):
        is_list = isinstance(texts, list) and 1 <= len(texts) <= MAX_TEXTS
        if not is_list or not all(isinstance(text, str) for text in texts):
            raise RequestError(400, f"texts must be a list of 1 to {MAX_TEXTS} strings")
        if type(k) is not int or not 1 <= k <= MAX_LABELS:
            raise RequestError(400, f"k must be an integer from 1 to {MAX_LABELS}; got {k!r}")
        return self.server.model.predict(texts, k)

    def send_error(self, code, message=None, explain=None):
        """Answer with JSON also if the base class rejects a request."""
        self.close_connection = True
        self.send_json(code, {"error": message or "invalid request"})

    def send_json(self, status, reply):
        content = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        """Do not log requests."""


class Worker(ThreadingHTTPServer):
    """HTTP server of one process, with one thread per connection.

    Parameters
    ----------
    model : ServedModel
        Model to serve.
    listener : socket
        Listening socket that all workers share.
    n_open : shared array of int
        Number of open connections of each worker.
    index : int
        Index of this worker in `n_open`.
    """

    def __init__(self, model, listener, n_open, index):
        super().__init__(listener.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        # A new connection wakes all workers, but only one can accept it. With a blocking socket,
        # the others would wait for the next connection.
        listener.setblocking(False)
        self.socket, self.model = listener, model
        self.n_open, self.index = n_open, index
        self.n_pending, self.is_stopping = 0, False
        self.changed = threading.Condition()

    def get_request(self):
        """Accept a connection; wait first if another worker has fewer, so that it can accept."""
        if self.n_open[self.index] > min(self.n_open):
            time.sleep(ACCEPT_DELAY_SECONDS)
        return super().get_request()

    def process_request(self, *connection):
        self.add_to_open(1)
        super().process_request(*connection)

    def shutdown_request(self, connection):
        super().shutdown_request(connection)
        self.add_to_open(-1)

    def add_to_open(self, difference):
        with self.changed:
            self.n_open[self.index] += difference

    def handle_error(self, *connection):
        """Print errors, except if the client closed the connection."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*connection)

    @contextmanager
    def pending_request(self):
        with self.changed:
            self.n_pending += 1
        try:
            yield
        finally:
            with self.changed:
                self.n_pending -= 1
                self.changed.notify_all()

    def stop(self):
        """Accept no more connections, and wait until pending requests are answered."""
        self.is_stopping = True
        self.shutdown()
        self.server_close()
        with self.changed:
            self.changed.wait_for(lambda: not self.n_pending, GRACE_SECONDS)


def run_worker(path, listener, n_open, index, pipe):
    """Serve until the pool closes its end of the pipe, or dies."""
    for name in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C reaches all processes; the pool decides
        signal.signal(name, signal.SIG_IGN)
    worker = Worker(ServedModel(path), listener, n_open, index)
    thread = threading.Thread(target=worker.serve_forever)
    thread.start()
    try:
        pipe.send("ready")
        pipe.recv()
    except (EOFError, OSError):
        worker.stop()


class WorkerProcess(NamedTuple):
    """A process that runs `run_worker`, and the pool's end of the pipe to it."""

    process: multiprocessing.process.BaseProcess
    pipe: multiprocessing.connection.Connection


class Pool:
    """Worker processes that accept connections from one listening socket."""

    def __init__(self, path, n_workers, listener):
        self.path, self.listener = path, listener
        self.context = multiprocessing.get_context("spawn")  # available on all systems
        self.n_open = self.context.RawArray("q", n_workers)
        self.workers = []
        try:
            for index in range(n_workers):
                self.workers.append(self.start(index))
            for worker in self.workers:
                worker.pipe.recv()
        except EOFError:
            self.stop()
            raise SystemExit("a worker could not start; see its error message above") from None
        except BaseException:
            self.stop()
            raise

    def start(self, index):
        self.n_open[index] = 0
        pool_end, worker_end = self.context.Pipe()
        args = self.path, self.listener, self.n_open, index, worker_end
        process = self.context.Process(target=run_worker, args=args)
        process.start()
        worker_end.close()
        return WorkerProcess(process, pool_end)

    def restart_dead_workers(self):
        """Wait up to a second for workers to die, and replace those that did."""
        multiprocessing.connection.wait([worker.process.sentinel for worker in self.workers], 1)
        for index, worker in enumerate(self.workers):
            if not worker.process.is_alive():
                print(
                    f"worker {worker.process.pid} died; starting a new one",
                    file=sys.stderr,
                    flush=True,
                )
                worker.pipe.close()
                self.workers[index] = self.start(index)
                time.sleep(1)  # limits the rate if new workers die immediately

    def stop(self):
        for worker in self.workers:
            worker.pipe.close()
        for worker in self.workers:
            worker.process.join()


def main():
    """Check the model, start the pool, and keep it running until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("model", help="folder that save_model wrote")
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count(),
        help="number of processes (default: number of cores)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=8080, help="port; 0 selects a free one (default: 8080)"
    )
    options = parser.parse_args()
    if options.workers < 1:
        parser.error(f"--workers must be a positive integer; got {options.workers}")
    try:
        ServedModel(options.model)
        listener = socket.create_server((options.host, options.port), backlog=128)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with listener:
        pool = Pool(options.model, options.workers, listener)
        try:
            pids = ", ".join(str(worker.process.pid) for worker in pool.workers)
            port = listener.getsockname()[1]
            print(f"http://{options.host}:{port} (worker processes {pids})", flush=True)
            while True:
                pool.restart_dead_workers()
        except KeyboardInterrupt:
            pass
        finally:
            pool.stop()


if __name__ == "__main__":
    main()
