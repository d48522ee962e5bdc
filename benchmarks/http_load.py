"""Load test of `skxmr serve`, with persistent connections and its CPU time."""

import json
import multiprocessing
import os
import re
import selectors
import socket
import time
from pathlib import Path

import numpy as np


def make_request(texts, k):
    body = json.dumps({"texts": texts, "k": k}).encode()
    head = "POST /suggest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Connection:
    """Persistent connection with one request at a time.

    It parses only the necessary parts of HTTP, so that the client uses little CPU time compared
    with the server.
    """

    def __init__(self, port, requests, first):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests, self.position = requests, first

    def send(self):
        self.position = (self.position + 1) % len(self.requests)
        self.response = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(self.requests[self.position])

    def read(self):
        """Return the response time in seconds, or None if the response is incomplete."""
        received = self.socket.recv(2**18)
        if not received:
            raise RuntimeError("the server closed a connection before the response was complete")
        self.response += received
        head, _, body = self.response.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if length is None or len(body) < int(length[1]):
            return None
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server returned an error: {body.decode()}")
        return time.perf_counter() - self.sent_at


def run_client(port, requests, n_connections, seconds, barrier, results):
    """Keep all connections busy; report response times, wall seconds and CPU seconds."""
    connections = [
        Connection(port, requests, len(requests) * i // n_connections) for i in range(n_connections)
    ]
    response_times = []
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        barrier.wait()
        start, cpu = time.perf_counter(), time.process_time()
        for connection in connections:
            connection.send()
        while selector.get_map():
            for key, _ in selector.select(1):
                if (seconds_taken := key.data.read()) is not None:
                    response_times.append(seconds_taken)
                    if time.perf_counter() < start + seconds:
                        key.data.send()
                    else:
                        selector.unregister(key.fileobj)
        results.put((response_times, time.perf_counter() - start, time.process_time() - cpu))


def summarize(response_times, wall, cpu):
    """Summarize requests, given their response times, and wall and CPU seconds in total."""
    p50, p99 = np.quantile(response_times, (0.5, 0.99)) * 1e3
    return {
        "per_s": len(response_times) / wall,
        "cpu_ms": 1e3 * cpu / len(response_times),
        "p50_ms": p50,
        "p99_ms": p99,
    }


def cpu_seconds(pids):
    """Return the CPU seconds of processes so far, or nan if the system does not report them."""
    try:
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    except OSError:
        return np.nan
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def load_test(port, pids, requests, n_connections, n_clients, seconds):
    """Load the server from several client processes that divide the connections among them."""
    context = multiprocessing.get_context("spawn")
    n_clients = min(n_clients, n_connections)
    barrier, results = context.Barrier(n_clients), context.Queue()
    connections_per_client = [
        n_connections // n_clients + (i < n_connections % n_clients) for i in range(n_clients)
    ]
    clients = [
        context.Process(target=run_client, args=(port, requests, n, seconds, barrier, results))
        for n in connections_per_client
    ]
    before = cpu_seconds(pids)
    for client in clients:
        client.start()
    response_times, wall, client_cpu = zip(
        *[results.get(timeout=60 + seconds) for _ in clients], strict=True
    )
    cpu = cpu_seconds(pids) - before
    for client in clients:
        client.join()
    return {
        **summarize(np.concatenate(response_times), max(wall), cpu),
        "client_cpus": sum(client_cpu) / max(wall),
    }
