"""A load test: clients that keep connections to a server of examples/serving, and its CPU time."""

import json
import multiprocessing
import os
import re
import selectors
import socket
import time
from pathlib import Path

import numpy as np


def as_request(texts, k):
    body = json.dumps({"texts": texts, "k": k}).encode()
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
        received = self.socket.recv(2**18)
        if not received:
            raise RuntimeError("the server closed a connection")
        self.answer += received
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
        while selector.get_map():
            for key, _ in selector.select(1):
                if (one := key.data.read()) is not None:
                    took.append(one)
                    if time.perf_counter() < start + seconds:
                        key.data.ask()
                    else:
                        selector.unregister(key.fileobj)
        results.put((took, time.perf_counter() - start, time.process_time() - cpu))


def figures(took, wall, cpu):
    """Return what is said of requests: the seconds of each, of all by the clock, and of CPU."""
    p50, p99 = np.quantile(took, (0.5, 0.99)) * 1e3
    return {
        "per_s": len(took) / wall,
        "cpu_ms": 1e3 * cpu / len(took),
        "p50_ms": p50,
        "p99_ms": p99,
    }


def cpu_seconds(pids):
    """Return the CPU seconds of processes so far, or nan where the system does not tell."""
    try:
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    except OSError:
        return np.nan
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def load_test(port, pids, requests, n_connections, n_clients, seconds):
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
    before = cpu_seconds(pids)
    for client in clients:
        client.start()
    took, wall, own = zip(*[results.get(timeout=60 + seconds) for _ in clients], strict=True)
    cpu = cpu_seconds(pids) - before
    for client in clients:
        client.join()
    return {**figures(np.concatenate(took), max(wall), cpu), "client_cpus": sum(own) / max(wall)}
