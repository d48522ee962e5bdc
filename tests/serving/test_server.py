"""Start, limits, reload and end of servers in new processes."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.servers import (
    TIMEOUT,
    connect,
    get,
    make_post,
    post,
    read_response,
    running_server,
    send_raw,
)
from helpers.text_models import expected_reply, save_text_model
from skxmr import load_model, save_model
from skxmr.cli import main
from skxmr.serving import Limits, serve

TEXTS = ["word1 word5", "word7 word3 word2"]


def wait_until(is_true):
    end = time.monotonic() + TIMEOUT
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.05)


def count_metric(port, name):
    lines = get(port, "/metrics").content.decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def wait_for_metric(port, name, value):
    wait_until(lambda: count_metric(port, name) >= value)


def test_server_applies_limits(model_path):
    limits = {
        "max_body_bytes": 100,
        "max_texts": 2,
        "max_labels": 3,
        "body_seconds": 0.5,
        "idle_seconds": 1,
    }
    with running_server(model_path, limits=limits) as (_, port):
        assert post(port, {"text": "a" * 100}).status == 413
        assert "1 to 2 entries" in post(port, {"texts": ["a"] * 3}).content["error"]
        assert "from 1 to 3" in post(port, {"text": "a", "k": 4}).content["error"]
        # A body that is too slow.
        response = send_raw(port, make_post({"text": "a"})[:-1])
        assert (response.status, response.headers["connection"]) == (408, "close")
        # Connections without a request, and after a response.
        with connect(port) as silent, connect(port) as used:
            used.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_response(used.makefile("rb")).status == 200
            assert silent.recv(1) == used.recv(1) == b""


def wait_until_closed(connection):
    """Wait until the server resets a connection while the client sends a byte from time to time."""

    def is_closed():
        try:
            connection.sendall(b"X")
        except ConnectionError:
            return True
        return False

    wait_until(is_closed)


def test_server_closes_connection_with_slow_header(model_path):
    with (
        running_server(model_path, limits={"idle_seconds": 0.5}) as (_, port),
        connect(port) as slow,
    ):
        slow.sendall(b"GET /health HT")
        wait_until_closed(slow)


def test_server_closes_connection_of_client_that_does_not_read(model_path):
    request = make_post({"texts": ["word1 word2"] * 1000, "k": 20})
    with (
        running_server(model_path, limits={"idle_seconds": 0.5}) as (_, port),
        connect(port) as silent,
    ):
        silent.sendall(request * 20)
        wait_until_closed(silent)
        assert get(port, "/health").status == 200


def test_server_answers_while_many_connections_are_silent(model_path):
    with running_server(model_path) as (_, port):
        silent = [connect(port) for _ in range(500)]
        for connection in silent:
            connection.sendall(b"POST /suggest HTTP/1.1\r\nContent-")
        assert all(post(port, {"texts": TEXTS}).status == 200 for _ in range(20))
        for connection in silent:
            connection.close()


def test_server_answers_503_if_too_many_requests_are_pending(model_path):
    with running_server(model_path, limits={"max_pending": 1}) as (_, port):
        request = make_post({"texts": ["word1 word2"] * 1000})

        def send(_):
            return send_raw(port, request)

        with ThreadPoolExecutor(20) as clients:
            responses = list(clients.map(send, range(20)))
        assert {response.status for response in responses} == {200, 503}
        busy = next(response for response in responses if response.status == 503)
        assert busy.headers["retry-after"] == "1"
        assert busy.content == {"error": "at most 1 requests can be pending. Try again later."}
        n_texts = 1000 * sum(response.status == 200 for response in responses)
        assert count_metric(port, "skxmr_texts_total") == n_texts


def replace_under_load(path, n_replacements):
    """Replace the model while clients send requests; check that no answer is lost or mixed."""
    copies = [path.with_name(f"copy{i}") for i in range(2)]
    for i, copy in enumerate(copies):
        save_text_model(copy, seed=i, prefix=f"model{i}-")
    shutil.copytree(copies[0], path)
    expected = [expected_reply(load_model(copy), TEXTS, 5) for copy in copies]
    models = [load_model(copy) for copy in copies]
    stopping = threading.Event()

    def run_client(port):
        counts = [0, 0]
        with connect(port) as connection, connection.makefile("rb") as stream:
            while not stopping.is_set():
                connection.sendall(make_post({"texts": TEXTS}))
                response = read_response(stream)
                assert response.status == 200
                counts[expected.index(response.content)] += 1
        return counts

    with running_server(path, workers=2) as (_, port), ThreadPoolExecutor(4) as clients:
        running = [clients.submit(run_client, port) for _ in range(4)]
        try:
            for i in range(1, n_replacements + 1):
                save_model(models[i % 2], path)
                wait_for_metric(port, "skxmr_reloads_total", 2 * i)  # each worker has loaded it
        finally:
            stopping.set()
        counts = [client.result(TIMEOUT) for client in running]
        assert count_metric(port, "skxmr_failed_reloads_total") == 0
    assert all(count > 0 for client in counts for count in client)


def test_server_replaces_model_without_lost_or_mixed_answer(tmp_path):
    replace_under_load(tmp_path / "tags.model", 2)


@pytest.mark.slow(reason="each replacement takes about a second")
def test_server_replaces_model_40_times_without_lost_or_mixed_answer(tmp_path):
    replace_under_load(tmp_path / "tags.model", 40)


def test_server_keeps_model_if_new_model_is_damaged(model_path, tmp_path):
    path = shutil.copytree(model_path, tmp_path / "tags.model")
    message = f"{path / 'header.json'}"
    with running_server(path, errors=None) as (process, port):
        before = post(port, {"texts": TEXTS}).content
        (path / "header.json").write_text("no JSON")
        wait_for_metric(port, "skxmr_failed_reloads_total", 1)
        assert post(port, {"texts": TEXTS}).content == before
        health = get(port, "/health").content
        assert health["status"] == "ok"
        assert message in health["reload_error"]
        process.terminate()
        [line] = process.stderr.read().splitlines()
        assert line == f"keeping the previous model: {health['reload_error']}"


EXPECT = "Content-Type: application/json\r\nExpect: 100-continue"


def send_incomplete(connection, request):
    """Send a part of a request, and wait until a worker reads its body."""
    connection.sendall(request)
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        received += connection.recv(1)
    assert received.startswith(b"HTTP/1.1 100")


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize(("workers", "number"), [(1, signal.SIGTERM), (2, signal.SIGINT)])
def test_server_answers_pending_requests_and_exits(model_path, workers, number):
    with running_server(model_path, workers=workers) as (process, port):
        request = make_post({"texts": ["word1 word2"] * 1000}, EXPECT)
        with connect(port) as pending, connect(port) as idle:
            send_incomplete(pending, request[:-1])
            idle.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_response(idle.makefile("rb")).status == 200
            os.killpg(process.pid, number)  # as Ctrl-C and systemd do
            assert idle.recv(1) == b""

            def is_refused():
                try:
                    connect(port).close()
                except ConnectionError:
                    return True
                return False

            wait_until(is_refused)
            assert process.poll() is None
            pending.sendall(request[-1:])
            response = read_response(pending.makefile("rb"))
        assert response.status == 200
        assert len(response.content["suggestions"]) == 1000
        assert process.wait(TIMEOUT) == 0


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_server_does_not_wait_longer_than_shutdown_seconds(model_path):
    with running_server(model_path, errors=None, limits={"shutdown_seconds": 0.5}) as server:
        with connect(server.port) as pending:
            send_incomplete(pending, make_post({"text": "a"}, EXPECT)[:-1])
            server.process.terminate()
            response = read_response(pending.makefile("rb"))
            assert (response.status, response.content) == (503, {"error": "the server stops"})
            assert server.process.wait(TIMEOUT) == 0
        [line] = server.process.stderr.read().splitlines()
        assert line.startswith("Cancel 1 running task")


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_server_replaces_dead_worker_and_workers_end_with_supervisor(model_path):
    with running_server(model_path, errors=None, workers=2) as (process, port):

        def find_workers():
            return {get(port, "/health").content["process"] for _ in range(30)}

        workers = find_workers()
        assert len(workers) == 2
        killed = min(workers)
        os.kill(killed, signal.SIGKILL)
        line = process.stderr.readline()
        assert line == f"worker {killed} died; starting a new one\n"
        wait_until(lambda: len(find_workers()) == 2)
        workers = find_workers()
        assert killed not in workers
        process.kill()
        process.wait(TIMEOUT)

        def are_dead():
            try:
                connect(port).close()
            except ConnectionError:
                return True
            return False

        wait_until(are_dead)
        process.returncode = 0  # for the check of `running_server`


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers must be a positive integer; got 0"),
        ({"workers": 1.5}, "workers must be a positive integer; got 1.5"),
        ({"port": -1}, "port must be an integer from 0 to 65535; got -1"),
        ({"port": 65536}, "port must be an integer from 0 to 65535; got 65536"),
    ],
)
def test_serve_rejects_invalid_parameters(model_path, options, message):
    with pytest.raises(ValueError, match=message):
        serve(model_path, **options)


def test_serve_rejects_unknown_host(model_path):
    with pytest.raises(OSError, match="host must be a name or an address of this machine; got"):
        serve(model_path, host="no such host")


def test_command_passes_options(monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(
        "skxmr.serving.serve", lambda *args, **options: calls.append((args, options))
    )
    assert main(["serve", "tags.model"]) == 0
    options = [
        *("tags.model", "--host", "::1", "--port", "0", "--workers", "3"),
        *("--max-body-bytes", "1", "--max-texts", "2", "--max-labels", "4"),
    ]
    assert main(["serve", *options]) == 0
    limits = Limits(max_body_bytes=1, max_texts=2, max_labels=4)
    default = {"host": "127.0.0.1", "port": 8080, "workers": 1, "limits": Limits()}
    assert calls == [
        (("tags.model",), default),
        (("tags.model",), {"host": "::1", "port": 0, "workers": 3, "limits": limits}),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "missing: no such folder"),
        (["missing", "--workers", "0"], "workers must be a positive integer; got 0"),
        (["missing", "--max-texts", "0"], "max_texts must be a positive integer; got 0"),
    ],
)
def test_command_reports_errors(arguments, message, capsys):
    assert main(["serve", *arguments]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["uvicorn", "starlette", "prometheus_client"])
def test_import_explains_missing_package(name):
    code = f"""
import sys
sys.modules[{name!r}] = None
import skxmr
try:
    import skxmr.serving
except ImportError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == (
        "skxmr serve needs uvicorn, starlette and prometheus_client; "
        f"{name} is not installed. Install them with: pip install 'skxmr[serve]'.\n"
    )
