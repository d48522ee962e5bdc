"""The example server: predictions, rejected requests, reload, restart and shutdown."""

import http.client
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from skxmr import XRLinearClassifier, load_model, save_model

SERVER = Path(__file__).parents[2] / "examples" / "serving" / "server.py"
TIMEOUT = 120  # seconds, so that a test fails instead of hanging

pytestmark = [
    pytest.mark.skipif(not SERVER.exists(), reason="examples/ is only in a source checkout"),
    pytest.mark.slow(reason="starts servers"),
]


def save_tagger(path, seed, n_names=20):
    """Save a model of 30 words and 20 labels."""
    rng = np.random.default_rng(seed)
    words = np.array([f"word{i}" for i in range(30)])
    texts = [" ".join(words[rng.choice(30, 6, replace=False)]) for _ in range(80)]
    Y = np.zeros((80, 20), dtype=int)
    Y[np.arange(80), [int(text.split()[0][4:]) % 20 for text in texts]] = 1
    model = make_pipeline(
        TfidfVectorizer(dtype=np.float32),
        # The server must reset n_jobs.
        XRLinearClassifier(max_leaf_size=5, n_jobs=2, random_state=seed),
    ).fit(texts, Y)
    save_model(model, path, extras={"names": np.array([f"tag{i}" for i in range(n_names)])})


@contextmanager
def server(path, *arguments):
    """Run the pool on a free port; yield the process, the port and the workers' process ids."""
    warnings = ["-W", "error"]  # also in the workers
    command = [sys.executable, *warnings, SERVER, path, "--port", "0", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            line = process.stdout.readline()
            match = re.fullmatch(
                r"http://127\.0\.0\.1:(\d+) \(worker processes ([\d, ]+)\)\n", line
            )
            assert match, line + process.stderr.read()
            yield process, int(match[1]), [int(pid) for pid in match[2].split(", ")]
        finally:
            process.terminate()
            process.wait(TIMEOUT)


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "tags.model"
    save_tagger(path, 0)
    return path


@pytest.fixture(scope="module")
def pool(tagger):
    with server(tagger, "--workers", "2") as (_, port, pids):
        yield port, pids


@pytest.fixture
def connection(pool):
    port, _ = pool
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    yield connection
    connection.close()


def send(connection, method, path, body=None, **headers):
    """Send a request; return the status and the decoded JSON body."""
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    assert response.getheader("Content-Type") == "application/json"
    return response.status, json.loads(response.read())


def post(connection, **request):
    return send(connection, "POST", "/predict", json.dumps(request))


def expected_reply(path, texts, k):
    """Return the predictions of the model in this process, without padding."""
    vectorizer, classifier = load_model(path)
    ranking = zip(*classifier.predict_topk(vectorizer.transform(texts), k=k), strict=True)
    kept = [(labels[labels >= 0], scores[labels >= 0]) for labels, scores in ranking]
    return {
        "labels": [[f"tag{i}" for i in labels] for labels, _ in kept],
        "scores": [scores.tolist() for _, scores in kept],
    }


def test_server_predicts_as_model(tagger, connection):
    texts = ["word1 word5 word5", "word29, word7", "nothing known", ""]
    for k in (1, 3, 40):  # 40 is more than the number of labels
        assert post(connection, texts=texts, k=k) == (200, expected_reply(tagger, texts, k))
    one = send(connection, "GET", "/predict?text=word1+word5&k=3")
    assert one == (200, expected_reply(tagger, ["word1 word5"], 3))
    assert post(connection, texts=["word1"]) == (200, expected_reply(tagger, ["word1"], 10))


def test_server_distributes_connections_over_workers(pool):
    port, pids = pool
    connections, seen = [], set()
    # The delay for workers with more connections is short, so it may take several connections
    # until both workers have one.
    while seen != set(pids) and len(connections) < 50:
        connections.append(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT))
        status, health = send(connections[-1], "GET", "/health")
        assert (status, health["status"], health["n_labels"]) == (200, "ok", 20)
        seen.add(health["pid"])
    assert seen == set(pids)
    for one in connections:
        one.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/", None, 404, "must be /predict or /health"),
        ("POST", "/predicts", "{}", 404, "/predicts"),
        ("GET", "/predict", None, 400, "texts must be a list of 1 to 1000 strings"),
        ("GET", "/predict?text=a&k=0", None, 400, "k must be an integer from 1 to 100; got 0"),
        ("GET", "/predict?text=a&k=one", None, 400, "got 'one'"),
        ("GET", "/predict?text=a&best=3", None, 400, "must be text and k; got best"),
        ("POST", "/predict", "", 400, "must be JSON"),
        ("POST", "/predict", b"\xff\xfe\x00", 400, "must be JSON"),
        ("POST", "/predict", "[1, 2]", 400, '"texts" and "k"'),
        ("POST", "/predict", '{"texts": ["a"], "beam": 3}', 400, '"texts" and "k"'),
        ("POST", "/predict", '{"texts": "one text"}', 400, "list of 1 to 1000 strings"),
        ("POST", "/predict", '{"texts": []}', 400, "list of 1 to 1000 strings"),
        ("POST", "/predict", '{"texts": ["a", 1]}', 400, "list of 1 to 1000 strings"),
        ("POST", "/predict", json.dumps({"texts": ["a"] * 1001}), 400, "1 to 1000 strings"),
        ("POST", "/predict", '{"texts": ["a"], "k": true}', 400, "got True"),
        ("POST", "/predict", '{"texts": ["a"], "k": 101}', 400, "1 to 100; got 101"),
        ("PUT", "/predict", "{}", 501, "Unsupported method"),
    ],
)
def test_server_rejects_invalid_request(connection, method, path, body, status, message):
    got, answer = send(connection, method, path, body)
    assert (got, list(answer)) == (status, ["error"])
    assert message in answer["error"]
    # The worker still answers valid requests.
    assert post(connection, texts=["word1"])[0] == 200


def test_server_checks_size_before_reading_body(connection):
    status, answer = send(connection, "POST", "/predict", **{"Content-Length": "10000000"})
    assert (status, answer["error"]) == (
        413,
        "the body must be at most 1048576 bytes; got 10000000",
    )
    status, answer = send(connection, "POST", "/predict", **{"Content-Length": "-1"})
    assert (status, answer["error"]) == (411, "Content-Length must be a number of bytes; got '-1'")


def test_server_does_not_parse_body_of_get_as_request(pool):
    with socket.create_connection(("127.0.0.1", pool[0]), timeout=TIMEOUT) as raw:
        raw.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nNONSENS")
        answer = b""
        while part := raw.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in answer


def test_server_loads_new_model(tmp_path):
    path = tmp_path / "tags.model"
    save_tagger(path, 0)
    texts = ["word1 word5", "word7"]
    old = expected_reply(path, texts, 5)
    with server(path, "--workers", "1") as (process, port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        assert post(connection, texts=texts, k=5) == (200, old)
        save_tagger(path, 1)  # the worker has the old model mapped, and the connection is open
        new = expected_reply(path, texts, 5)
        assert new != old
        end = time.monotonic() + TIMEOUT
        while (answer := post(connection, texts=texts, k=5)) == (200, old):
            assert time.monotonic() < end
            time.sleep(0.1)
        assert answer == (200, new)
        assert process.poll() is None
        connection.close()


@pytest.mark.skipif(os.name == "nt", reason="there, to terminate is to kill")
def test_it_ends_cleanly_when_told_to(tagger):
    with server(tagger, "--workers", "2") as (process, port, pids):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        assert post(connection, texts=["word1"])[0] == 200  # and stays open
        process.terminate()
        assert process.wait(TIMEOUT) == 0
        assert process.stderr.read() == ""
        connection.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_server_restarts_dead_worker_and_workers_end_with_pool(tagger):
    with server(tagger, "--workers", "1") as (process, port, pids):
        os.kill(pids[0], 9)
        assert process.stderr.readline() == f"worker {pids[0]} died; starting a new one\n"
        # The socket stays open, so a connection waits for the new worker.
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        assert send(connection, "GET", "/health")[1]["pid"] != pids[0]
        process.kill()
        end = time.monotonic() + TIMEOUT
        while True:  # until the new worker notices that the pool has died
            try:
                socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT).close()
            except OSError:
                break
            assert time.monotonic() < end
            time.sleep(0.1)
        connection.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "header.json"),
        (
            lambda path: save_model(
                XRLinearClassifier(random_state=0).fit(np.eye(4), np.eye(4, dtype=int)), path
            ),
            'must contain a Pipeline from texts to labels, saved with extras={"names"',
        ),
        (lambda path: save_tagger(path, 0, n_names=19), "each of the 20 labels; got 19"),
    ],
    ids=["no folder", "not a pipeline", "wrong number of names"],
)
def test_server_rejects_folder_without_text_model(tmp_path, make, message, monkeypatch, capsys):
    make(tmp_path / "model")
    spec = importlib.util.spec_from_file_location("server", SERVER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", ["server.py", str(tmp_path / "model"), "--port", "0"])
    with pytest.raises(SystemExit) as exit_info:
        module.main()
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err
