"""Servers in new processes, and clients with raw sockets."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import NamedTuple

TIMEOUT = 60  # seconds, so that a test fails instead of waiting forever

CODE = """
import json, sys
from skxmr.serving import Limits, serve
options = json.loads(sys.argv[2])
serve(sys.argv[1], port=0, limits=Limits(**options.pop("limits", {})), **options)
"""


class Server(NamedTuple):
    """A running server.

    Attributes
    ----------
    process : subprocess.Popen
        Process that called `serve`.
    port : int
        Port of the loopback interface.
    """

    process: subprocess.Popen
    port: int


@contextmanager
def running_server(path, errors="", **options):
    """Run a server with warnings as errors, and check its exit status at the end.

    Its error messages must be `errors`; None means that the test checks them.
    """
    command = [sys.executable, "-W", "error", "-c", CODE, path, json.dumps(options)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # Tests send signals to all processes of a session.
    with subprocess.Popen(command, **pipes, start_new_session=True) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("http://127.0.0.1:"), line + process.stderr.read()
            yield Server(process, int(line.split()[0].rpartition(":")[2]))
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT) == 0
            if errors is not None:
                messages = process.stderr.read()
                assert messages == errors, messages
        finally:
            process.kill()


def connect(port):
    """Return a connection to a server."""
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)


class Response(NamedTuple):
    """A response.

    Attributes
    ----------
    status : int
        HTTP status.
    headers : dict of str to str
        Headers, with names in lower case.
    content : object
        Decoded body if it is JSON, otherwise bytes.
    """

    status: int
    headers: dict[str, str]
    content: object


def read_response(stream, has_body=True):
    """Read one response from the file of a socket; return None at the end of the connection."""
    line = stream.readline()
    if not line:
        return None
    version, status, *_ = line.decode().split(" ", 2)
    assert version == "HTTP/1.1"
    headers = {}
    while (line := stream.readline().decode()) != "\r\n":
        assert line, "the connection was closed in the header of a response"
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    content = stream.read(int(headers["content-length"])) if has_body else b""
    if has_body and headers["content-type"] == "application/json":
        content = json.loads(content)
    return Response(int(status), headers, content)


def send_raw(port, request, has_body=True):
    """Send bytes over a new connection and return the response."""
    with connect(port) as connection, connection.makefile("rb") as stream:
        connection.sendall(request)
        return read_response(stream, has_body)


def make_post(body, headers="Content-Type: application/json"):
    """Return the bytes of a request for suggestions."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"POST /suggest HTTP/1.1\r\nHost: a\r\n{headers}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def get(port, target):
    """Send a GET request over a new connection and return the response."""
    return send_raw(port, f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())


def post(port, body):
    """Post an object as JSON over a new connection and return the response."""
    return send_raw(port, make_post(body))
