"""Serve a saved text model from several processes that share one copy of it.

    python server.py tags.model --workers 2 --port 8080

The model is a folder that ``save_model`` wrote: a pipeline of a vectorizer and an
``XRLinearClassifier``, with the names of its labels, an array or the ``MultiLabelBinarizer``, as
``extras={"names": ...}``. Answers are JSON::

    GET  /health
    GET  /predict?text=histogram+of+an+array&k=3
    POST /predict     {"texts": ["histogram of an array", ...], "k": 3}

A model that ``save_model`` puts in the place of the old one is taken up within a second. Ctrl-C
or SIGTERM ends the pool once the requests in work are answered. There is no encryption, and nobody
is asked who they are: leave it on the loopback address, behind a web server that does both.
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
from urllib.parse import parse_qs, urlsplit

from sklearn.pipeline import Pipeline

from skxmr import load_model
from skxmr.persistence import load_extras

MOST_BYTES, MOST_TEXTS, MOST_LABELS = 2**20, 1000, 100  # of one request
IDLE_SECONDS = 60  # before a connection that asks nothing is closed
GRACE_SECONDS = 10  # for the requests in work when the pool ends


class RefusedError(Exception):
    """What was wrong with a request, with the status of the answer."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class ServedModel:
    """The model in a folder, mapped into memory, and its successors."""

    def __init__(self, path):
        self.path = Path(path)
        self.load()

    def version_on_disk(self):
        """Tell one saved model from the next: each has a header of its own."""
        status = os.stat(self.path / "header.json")
        return status.st_ino, status.st_mtime_ns

    def load(self):
        """Map the folder: pages are read when a prediction needs them, if they are not there."""
        version = self.version_on_disk()
        pipeline = load_model(self.path, mmap_mode="r")
        names = load_extras(self.path, mmap_mode="r").get("names")
        if not isinstance(pipeline, Pipeline) or names is None:
            raise ValueError(
                f"{self.path} must hold a Pipeline from texts to labels, saved with "
                'extras={"names": names of the labels}.'
            )
        names = getattr(names, "classes_", names)
        # The work is spread over processes; threads would be in each other's way.
        classifier = pipeline[-1].set_params(n_jobs=None)
        if len(names) != len(classifier.classes_):
            raise ValueError(
                f"{self.path} must have a name for each of {len(classifier.classes_)} labels; "
                f"it has {len(names)}."
            )
        if version != self.version_on_disk():
            raise ValueError(f"{self.path} was replaced while it was loaded.")
        self.parts, self.version = (pipeline[:-1], classifier, names), version
        self.look_again = time.monotonic() + 1

    def newest(self):
        """Return vectorizer, classifier and names, of a new folder if there is one."""
        if time.monotonic() > self.look_again:
            self.look_again = time.monotonic() + 1
            try:
                if self.version != self.version_on_disk():
                    self.load()
            except (OSError, ValueError) as error:  # between two models, or damaged
                print(f"still the old model: {error}", file=sys.stderr, flush=True)
        return self.parts

    def predict(self, texts, k):
        """Return the names and the scores of the best k labels of each text."""
        vectorizer, classifier, names = self.newest()
        labels, scores = classifier.predict_topk(vectorizer.transform(texts), k=k)
        found = labels >= 0  # the beam may have held fewer than k
        return {
            "labels": [names[row[kept]].tolist() for row, kept in zip(labels, found, strict=True)],
            "scores": [row[kept].tolist() for row, kept in zip(scores, found, strict=True)],
        }


class Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, answers each with JSON."""

    protocol_version = "HTTP/1.1"  # a connection serves many requests
    wbufsize = -1  # an answer leaves in one piece: in two, the second waits for an acknowledgement
    timeout = IDLE_SECONDS

    def do_GET(self):
        # A body, which nobody reads, would be taken for the next request.
        self.close_connection |= bool({"Content-Length", "Transfer-Encoding"} & {*self.headers})
        self.respond(self.answer_get)

    def do_POST(self):
        self.respond(self.answer_post)

    def respond(self, answer):
        with self.server.request_in_work():
            try:
                status, reply = 200, answer(urlsplit(self.path))
            except RefusedError as error:
                status, reply = error.status, {"error": str(error)}
                self.close_connection = True  # part of the request may be unread
            self.close_connection |= self.server.ending
            self.send_json(status, reply)

    def answer_get(self, url):
        if url.path == "/health":
            names = self.server.model.newest()[2]
            return {"status": "ok", "pid": os.getpid(), "n_labels": len(names)}
        self.check_path(url)
        query = parse_qs(url.query)
        if unknown := query.keys() - {"text", "k"}:
            raise RefusedError(400, f"the query takes text and k; got {', '.join(sorted(unknown))}")
        k = query.get("k", ["10"])[-1]
        return self.predict(query.get("text"), int(k) if k.isdecimal() else k)

    def answer_post(self, url):
        self.check_path(url)
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise RefusedError(411, f"Content-Length must be a number of bytes; got {length!r}")
        if int(length) > MOST_BYTES:
            raise RefusedError(413, f"the body must be at most {MOST_BYTES} bytes; got {length}")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except ValueError as error:
            raise RefusedError(400, f"the body must be JSON: {error}") from None
        if not isinstance(body, dict) or not body.keys() <= {"texts", "k"}:
            raise RefusedError(400, 'the body must be an object with "texts" and "k" alone')
        return self.predict(body.get("texts"), body.get("k", 10))

    def check_path(self, url):
        if url.path != "/predict":
            raise RefusedError(404, f"there are /predict and /health; got {url.path}")

    def predict(self, texts, k):
        texts_fit = isinstance(texts, list) and 1 <= len(texts) <= MOST_TEXTS
        if not texts_fit or not all(isinstance(text, str) for text in texts):
            raise RefusedError(400, f"texts must be a list of 1 to {MOST_TEXTS} strings")
        if type(k) is not int or not 1 <= k <= MOST_LABELS:
            raise RefusedError(400, f"k must be an integer from 1 to {MOST_LABELS}; got {k!r}")
        return self.server.model.predict(texts, k)

    def send_error(self, code, message=None, explain=None):
        """Refuse what does not get as far as a method of this class, in JSON too."""
        self.close_connection = True
        self.send_json(code, {"error": message or "the request is refused"})

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
        """Write no line for each request."""


class Worker(ThreadingHTTPServer):
    """The server of one process; a thread for each connection."""

    def __init__(self, model, listener, n_open, place):
        super().__init__(listener.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        # All workers wake for a connection, one gets it: the others must not wait for the next.
        listener.setblocking(False)
        self.socket, self.model = listener, model
        self.n_open, self.place = n_open, place  # connections of all workers, and which is this
        self.in_work, self.ending = 0, False
        self.changed = threading.Condition()

    def get_request(self):
        """Accept a connection, but leave it to a worker that has fewer, if there is one awake."""
        if self.n_open[self.place] > min(self.n_open):
            time.sleep(0.005)
        return super().get_request()

    def process_request(self, *connection):
        self.count_open(1)
        super().process_request(*connection)

    def shutdown_request(self, connection):
        super().shutdown_request(connection)
        self.count_open(-1)

    def count_open(self, more):
        with self.changed:
            self.n_open[self.place] += more

    def handle_error(self, *connection):
        """Say what went wrong, unless it is that the client went away."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*connection)

    @contextmanager
    def request_in_work(self):
        with self.changed:
            self.in_work += 1
        try:
            yield
        finally:
            with self.changed:
                self.in_work -= 1
                self.changed.notify_all()

    def end(self):
        """Take no more connections, and wait for the answers to what is in work."""
        self.ending = True
        self.shutdown()
        self.server_close()
        with self.changed:
            self.changed.wait_for(lambda: not self.in_work, GRACE_SECONDS)


def work(path, listener, n_open, place, line):
    """Be a worker: serve until the other end of the line is closed, by the pool or by its death."""
    for name in (signal.SIGINT, signal.SIGTERM):  # may reach all; the pool ends its workers
        signal.signal(name, signal.SIG_IGN)
    worker = Worker(ServedModel(path), listener, n_open, place)
    thread = threading.Thread(target=worker.serve_forever)
    thread.start()
    try:
        line.send("ready")
        line.recv()
    except (EOFError, OSError):
        worker.end()


class Pool:
    """Worker processes that take their connections from one socket."""

    def __init__(self, path, n_workers, listener):
        self.path, self.listener = path, listener
        self.context = multiprocessing.get_context("spawn")  # the same on every system
        self.n_open = self.context.RawArray("q", n_workers)
        self.workers = []
        try:
            for place in range(n_workers):
                self.workers.append(self.start(place))
            for _, line in self.workers:
                line.recv()
        except EOFError:
            self.end()
            raise SystemExit("a worker could not start; what it said is above") from None
        except BaseException:
            self.end()
            raise

    def start(self, place):
        self.n_open[place] = 0
        ours, theirs = self.context.Pipe()
        args = self.path, self.listener, self.n_open, place, theirs
        process = self.context.Process(target=work, args=args)
        process.start()
        theirs.close()
        return process, ours

    def replace_the_dead(self):
        """Wait a second for a worker to die, and start another."""
        multiprocessing.connection.wait([process.sentinel for process, _ in self.workers], 1)
        for place, (process, line) in enumerate(self.workers):
            if not process.is_alive():
                print(f"worker {process.pid} died", file=sys.stderr, flush=True)
                line.close()
                self.workers[place] = self.start(place)
                time.sleep(1)  # should it die again at once

    def end(self):
        for _, line in self.workers:
            line.close()
        for process, _ in self.workers:
            process.join()


def main():
    """Check the model, start the pool, and keep it alive until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("model", help="folder that save_model wrote")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="processes (one a core)"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    options = parser.parse_args()
    if options.workers < 1:
        parser.error(f"--workers must be at least 1; got {options.workers}")
    try:
        ServedModel(options.model)
        listener = socket.create_server((options.host, options.port), backlog=128)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with listener:
        pool = Pool(options.model, options.workers, listener)
        try:
            pids = ", ".join(str(process.pid) for process, _ in pool.workers)
            port = listener.getsockname()[1]
            print(f"http://{options.host}:{port} by processes {pids}", flush=True)
            while True:
                pool.replace_the_dead()
        except KeyboardInterrupt:
            pass
        finally:
            pool.end()


if __name__ == "__main__":
    main()
