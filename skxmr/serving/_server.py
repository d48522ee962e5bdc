"""Run the app with uvicorn, in this process or in several worker processes."""

import asyncio
import contextlib
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import uvicorn
from starlette.responses import Response

from skxmr.serving._app import make_app
from skxmr.serving._limits import Limits
from skxmr.serving._model import load
from skxmr.serving._protocol import HTTPProtocol

logger = logging.getLogger("skxmr.serving")

MAX_HEADER_BYTES = 2**16
# Maximum number of connections that wait to be accepted.
BACKLOG = 2048
# Minimum time between two starts, if new workers die immediately.
RESTART_SECONDS = 1
# Time between two checks for a signal.
SIGNAL_SECONDS = 0.1


def serve(path, *, host="127.0.0.1", port=8080, workers=1, limits=None):
    """Serve a saved model over HTTP until Ctrl-C or SIGTERM.

    When the server is ready, it prints its address. When it stops, it closes its socket and answers
    pending requests. The server has no encryption and no authentication. Keep the loopback address,
    and use a web server in front of it that has both.

    Parameters
    ----------
    path : str or path-like
        Folder of a model that takes texts, which `skxmr.save_model` wrote. If the folder is
        replaced, the server loads the new model within about a second.
    host : str, default="127.0.0.1"
        Name or address of the interface.
    port : int, default=8080
        Port; 0 selects a free one.
    workers : int, default=1
        Number of processes that answer requests. They share one copy of the model. With 1, this
        process answers. Otherwise, it replaces workers that die.
    limits : Limits or None, default=None
        Limits of requests. None means ``Limits()``.

    Raises
    ------
    OSError, ImportError
        If the folder cannot be read, a package of the model is missing, or the port is in use.
    ValueError
        If the model does not take texts, or a parameter is invalid.
    RuntimeError
        If a worker cannot start.

    See Also
    --------
    make_app : Make an app for another ASGI server.
    """
    limits = limits or Limits()
    if not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers must be a positive integer; got {workers!r}.")
    if not isinstance(port, int) or not 0 <= port < 2**16:
        raise ValueError(f"port must be an integer from 0 to {2**16 - 1}; got {port!r}.")
    if workers == 1:
        app = make_app(path, limits=limits)
        with _bind(host, port) as bound:
            message = _describe(host, bound, workers)
            server = _Server(app, limits, on_start=lambda: print(message, flush=True))
            server.run([bound])
        return
    load(Path(path))  # an error message of this process is clearer than one of each worker
    with _bind(host, port) as bound, _metrics_folder():
        message = _describe(host, bound, workers)
        _Supervisor(path, bound, limits).run(workers, message)


class _Server(uvicorn.Server):
    """uvicorn's server of one process, with a callback when it is ready."""

    def __init__(self, app, limits, on_start):
        config = uvicorn.Config(
            _answer_if_cancelled(app),
            http=HTTPProtocol,
            ws="none",
            loop="asyncio",
            access_log=False,
            log_config=None,
            # Invalid requests are not errors of the server.
            log_level="error",
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            timeout_keep_alive=limits.idle_seconds,
            timeout_graceful_shutdown=limits.shutdown_seconds,
        )
        super().__init__(config)
        self.on_start = on_start

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.on_start()

    def handle_exit(self, *_):
        # uvicorn would raise the signal again at the end, and would skip the shutdown after a
        # second SIGINT.
        self.should_exit = True


def _answer_if_cancelled(app):
    """Return an app that answers 503 when uvicorn cancels a request after `shutdown_seconds`."""

    async def answer(scope, receive, send):
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:  # uvicorn would log a traceback
            response = Response(
                b'{"error": "the server stops"}', 503, media_type="application/json"
            )
            # The response may have started.
            with contextlib.suppress(RuntimeError):
                await response(scope, receive, send)

    return answer


class _Worker(NamedTuple):
    """A process that runs `_run_worker`, and the end of its pipe in the supervisor."""

    process: multiprocessing.process.BaseProcess
    pipe: multiprocessing.connection.Connection


class _Supervisor:
    """Workers that accept connections at one address."""

    def __init__(self, path, bound, limits):
        self.path, self.bound, self.limits = path, bound, limits
        self.context = multiprocessing.get_context("spawn")  # available on all systems
        self.workers = []
        self.is_stopping = False

    def run(self, n_workers, message):
        """Start the workers, print a message, and replace workers that die until a signal."""
        with _handle_signals(self.handle_signal):
            try:
                self.workers = [self.start_worker() for _ in range(n_workers)]
                if self.wait_until_ready():
                    print(message, flush=True)
                while not self.is_stopping:
                    self.replace_dead_workers()
            finally:
                self.stop()

    def handle_signal(self, *_):
        self.is_stopping = True

    def start_worker(self):
        supervisor_end, worker_end = self.context.Pipe()
        process = self.context.Process(
            target=_run_worker, args=(self.path, self.bound, self.limits, worker_end)
        )
        process.start()
        worker_end.close()
        return _Worker(process, supervisor_end)

    def wait_until_ready(self):
        """Return whether all workers are ready; False means that a signal came first."""
        for worker in self.workers:
            while not worker.pipe.poll(SIGNAL_SECONDS):
                if self.is_stopping:
                    return False
            try:
                worker.pipe.recv()
            except EOFError:
                if self.is_stopping:
                    return False
                raise RuntimeError(
                    "a worker could not start; see the error message above."
                ) from None
        return True

    def replace_dead_workers(self):
        sentinels = [worker.process.sentinel for worker in self.workers]
        if not multiprocessing.connection.wait(sentinels, SIGNAL_SECONDS) or self.is_stopping:
            return
        for index, worker in enumerate(self.workers):
            if not worker.process.is_alive():
                logger.error("worker %d died; starting a new one", worker.process.pid)
                worker.pipe.close()
                self.workers[index] = self.start_worker()
        end = time.monotonic() + RESTART_SECONDS
        while not self.is_stopping and time.monotonic() < end:
            time.sleep(SIGNAL_SECONDS)

    def stop(self):
        """Close the socket, and wait until the workers have answered pending requests."""
        self.bound.close()
        for worker in self.workers:
            worker.pipe.close()
        # A worker needs a moment after its own time limit.
        end = time.monotonic() + self.limits.shutdown_seconds + 1
        for worker in self.workers:
            worker.process.join(max(0, end - time.monotonic()))
            if worker.process.is_alive():
                logger.error("worker %d did not stop in time and is killed", worker.process.pid)
                worker.process.kill()
                worker.process.join()


def _run_worker(path, bound, limits, pipe):
    """Serve until the supervisor closes its end of the pipe, or dies."""
    # Ctrl-C reaches all processes; the supervisor decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def report_start():
        with contextlib.suppress(OSError):  # the supervisor has closed the pipe
            pipe.send("ready")

    server = _Server(make_app(path, limits=limits), limits, report_start)

    def stop_at_end_of_pipe():
        with contextlib.suppress(EOFError, OSError):
            pipe.recv()
        server.should_exit = True

    threading.Thread(target=stop_at_end_of_pipe, daemon=True).start()
    server.run([_open_worker_socket(bound)])


def _bind(host, port):
    """Return a socket with an address, which asyncio changes to a listening socket."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise OSError(
            f"host must be a name or an address of this machine; got {host!r}: {error.strerror}."
        ) from error
    # asyncio sets TCP_NODELAY only if the protocol is given. Without TCP_NODELAY, the second packet
    # of a response can wait 40 ms for an acknowledgement.
    bound = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # on Windows, it would allow two servers with one port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise OSError(
            f"host and port must be available; got {host} and {port}: {error.strerror}. "
            "Choose another port; 0 selects a free one."
        ) from error
    return bound


def _open_worker_socket(bound):
    """Return the socket of a worker, given the socket of the supervisor."""
    if sys.platform != "linux":
        return bound
    # Linux distributes new connections evenly over sockets with SO_REUSEPORT. With one socket for
    # all workers, one worker accepted 15 of 16 connections.
    with bound:
        own = socket.socket(bound.family, bound.type, bound.proto)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        own.bind(bound.getsockname())
    return own


def _describe(host, bound, workers):
    shown = f"[{host}]" if ":" in host else host
    port = bound.getsockname()[1]
    return f"http://{shown}:{port} ({workers} worker{'s' * (workers > 1)})"


@contextlib.contextmanager
def _handle_signals(handler):
    """Call a handler for SIGINT and SIGTERM, if this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


@contextlib.contextmanager
def _metrics_folder():
    """Set the environment variable with the folder in which workers count, for new processes."""
    name = "PROMETHEUS_MULTIPROC_DIR"
    before = os.environ.get(name)
    with tempfile.TemporaryDirectory(prefix="skxmr-metrics-") as folder:
        os.environ[name] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before
