"""The pool of servers of the examples answers as the model does, refuses, and ends cleanly."""

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
TIMEOUT = 120  # seconds: to fail in place of waiting for ever

pytestmark = [
    pytest.mark.skipif(not SERVER.exists(), reason="the examples are not in this checkout"),
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
        # The server must not start threads for it.
        XRLinearClassifier(max_leaf_size=5, n_jobs=2, random_state=seed),
    ).fit(texts, Y)
    save_model(model, path, extras={"names": np.array([f"tag{i}" for i in range(n_names)])})


@contextmanager
def server(path, *arguments):
    """Run the pool on a free port; yield the process, the port and the workers' process ids."""
    warnings = ["-W", "error"]  # to the workers too
    command = [sys.executable, *warnings, SERVER, path, "--port", "0", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            line = process.stdout.readline()
            said = re.fullmatch(r"http://127\.0\.0\.1:(\d+) by processes ([\d, ]+)\n", line)
            assert said, line + process.stderr.read()
            yield process, int(said[1]), [int(pid) for pid in said[2].split(", ")]
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


def ask(connection, method, path, body=None, **headers):
    """Return the status and the answer, which is JSON whatever it is."""
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    assert response.getheader("Content-Type") == "application/json"
    return response.status, json.loads(response.read())


def post(connection, **request):
    return ask(connection, "POST", "/predict", json.dumps(request))


def expected(path, texts, k):
    """What the model says in this process, without the places where the beam held too few."""
    vectorizer, classifier = load_model(path)
    ranking = zip(*classifier.predict_topk(vectorizer.transform(texts), k=k), strict=True)
    kept = [(labels[labels >= 0], scores[labels >= 0]) for labels, scores in ranking]
    return {
        "labels": [[f"tag{i}" for i in labels] for labels, _ in kept],
        "scores": [scores.tolist() for _, scores in kept],
    }


def test_it_answers_as_the_model_does(tagger, connection):
    texts = ["word1 word5 word5", "word29, word7", "nothing known", ""]
    for k in (1, 3, 40):  # more than there are labels
        assert post(connection, texts=texts, k=k) == (200, expected(tagger, texts, k))
    one = ask(connection, "GET", "/predict?text=word1+word5&k=3")
    assert one == (200, expected(tagger, ["word1 word5"], 3))
    assert post(connection, texts=["word1"]) == (200, expected(tagger, ["word1"], 10))


def test_connections_are_spread_over_the_workers(pool):
    port, pids = pool
    connections, seen = [], set()
    # A worker with fewer connections is waited for, but not for long: until both have one.
    while seen != set(pids) and len(connections) < 50:
        connections.append(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT))
        status, health = ask(connections[-1], "GET", "/health")
        assert (status, health["status"], health["n_labels"]) == (200, "ok", 20)
        seen.add(health["pid"])
    assert seen == set(pids)
    for one in connections:
        one.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("GET", "/", None, 404, "/predict and /health"),
        ("POST", "/predicts", "{}", 404, "/predicts"),
        ("GET", "/predict", None, 400, "texts must be a list of 1 to 1000 strings"),
        ("GET", "/predict?text=a&k=0", None, 400, "k must be an integer from 1 to 100; got 0"),
        ("GET", "/predict?text=a&k=one", None, 400, "got 'one'"),
        ("GET", "/predict?text=a&best=3", None, 400, "takes text and k; got best"),
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
def test_what_is_refused(connection, method, path, body, status, says):
    got, answer = ask(connection, method, path, body)
    assert (got, list(answer)) == (status, ["error"])
    assert says in answer["error"]
    # Neither the worker nor the client has lost anything.
    assert post(connection, texts=["word1"])[0] == 200


def test_a_body_is_not_read_before_its_size_is_known(connection):
    status, answer = ask(connection, "POST", "/predict", **{"Content-Length": "10000000"})
    assert (status, answer["error"]) == (
        413,
        "the body must be at most 1048576 bytes; got 10000000",
    )
    status, answer = ask(connection, "POST", "/predict", **{"Content-Length": "-1"})
    assert (status, answer["error"]) == (411, "Content-Length must be a number of bytes; got '-1'")


def test_the_body_of_a_get_is_not_taken_for_a_request(pool):
    with socket.create_connection(("127.0.0.1", pool[0]), timeout=TIMEOUT) as raw:
        raw.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nNONSENS")
        answer = b""
        while part := raw.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in answer


def test_a_new_model_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "tags.model"
    save_tagger(path, 0)
    texts = ["word1 word5", "word7"]
    old = expected(path, texts, 5)
    with server(path, "--workers", "1") as (process, port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        assert post(connection, texts=texts, k=5) == (200, old)
        save_tagger(path, 1)  # while the worker has the old one mapped, and the connection is open
        new = expected(path, texts, 5)
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


@pytest.mark.skipif(os.name == "nt", reason="no signals to die by")
def test_a_worker_that_dies_is_replaced_and_a_pool_that_dies_leaves_none(tagger):
    with server(tagger, "--workers", "1") as (process, port, pids):
        os.kill(pids[0], 9)
        assert process.stderr.readline() == f"worker {pids[0]} died\n"
        # The socket stayed open all the time: a connection waits for the new worker.
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        assert ask(connection, "GET", "/health")[1]["pid"] != pids[0]
        process.kill()
        end = time.monotonic() + TIMEOUT
        while True:  # until the new worker has seen that the pool is gone
            try:
                socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT).close()
            except OSError:
                break
            assert time.monotonic() < end
            time.sleep(0.1)
        connection.close()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "header.json"),
        (
            lambda path: save_model(
                XRLinearClassifier(random_state=0).fit(np.eye(4), np.eye(4, dtype=int)), path
            ),
            'must hold a Pipeline from texts to labels, saved with extras={"names"',
        ),
        (lambda path: save_tagger(path, 0, n_names=19), "each of 20 labels; it has 19"),
    ],
    ids=["none", "no texts", "names"],
)
def test_a_folder_that_cannot_be_served_is_refused_at_the_start(
    tmp_path, make, says, monkeypatch, capsys
):
    make(tmp_path / "model")
    spec = importlib.util.spec_from_file_location("server", SERVER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", ["server.py", str(tmp_path / "model"), "--port", "0"])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 2
    assert says in capsys.readouterr().err
