"""Requests to a server with two workers: answers, hostile requests and many clients."""

import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from random import Random

import pytest

from helpers.servers import connect, get, make_post, post, read_response, send_raw
from helpers.text_models import expected_reply, make_texts
from skxmr.serving import serve

TEXTS = ["word1 word5 word5", "word29, word7", "nothing known", "", "\0 \U0001f600 word3"]


def test_suggest_answers_as_model(port, model):
    for k, threshold in [(1, None), (3, 0.2), (40, 0), (5, 1e300), (5, -(10**100))]:
        response = post(port, {"texts": TEXTS, "k": k, "threshold": threshold})
        expected = expected_reply(model, TEXTS, k, threshold)
        assert (response.status, response.content) == (200, expected)
    assert post(port, {"text": "word1"}).content == expected_reply(model, ["word1"], 5)


def test_suggest_filters_labels(port, model):
    allowed, excluded = list(model.classes_[:6]), list(model.classes_[2:4])
    for fields in ({"labels": allowed}, {"exclude": excluded}, {"labels": [], "exclude": None}):
        response = post(port, {"texts": TEXTS, "k": 5, **fields})
        if fields.get("labels") == []:
            message = "labels must contain at least one label; got none."
            assert (response.status, response.content) == (400, {"error": message})
            continue
        found = [[s["label"] for s in row] for row in response.content["suggestions"]]
        expected = model.suggest(TEXTS, k=5, **fields)
        assert found == [[name for name, _ in pairs] for pairs in expected]
    response = post(port, {"text": "a", "exclude": ["no label"]})
    assert response.status == 400
    assert "got 1 unknown: 'no label'" in response.content["error"]


def test_suggest_reads_query(port, model):
    expected = expected_reply(model, ["word1 w\xf6rd5"], 3, 0.01)
    response = get(port, "/suggest?text=word1+w%C3%B6rd5&k=3&threshold=1e-2")
    assert (response.status, response.content) == (200, expected)
    assert get(port, "/suggest?text=").content == expected_reply(model, [""], 5)


def test_suggest_accepts_content_types_of_json(port):
    body = json.dumps({"text": "word1"}).encode()
    for headers in ("Content-Type: Application/JSON; charset=utf-8", "X-Unused: 1"):
        assert send_raw(port, make_post(body, headers)).status == 200


def test_head_answers_as_get_without_body(port):
    for target in ("/", "/health", "/metrics", "/suggest?text=a"):
        request = f"HEAD {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
        with connect(port) as connection, connection.makefile("rb") as stream:
            connection.sendall(request)
            response = read_response(stream, has_body=False)
            assert stream.read() == b""
        assert response.status == 200
        assert int(response.headers["content-length"]) > 0


INVALID_FIELDS = [
    ({}, "either"),
    ({"text": "a", "texts": ["a"]}, "either"),
    ({"texts": "one text"}, "texts must be a list of strings"),
    ({"texts": []}, "texts must have 1 to 1000 entries; got 0"),
    ({"texts": ["a"] * 1001}, "texts must have 1 to 1000 entries; got 1001"),
    ({"texts": ["a", 1]}, "texts must be a list of strings"),
    ({"texts": None}, "texts must be a list of strings"),
    ({"text": ["a"]}, "text must be a string; got a list"),
    ({"text": "half \ud800"}, "texts must be Unicode"),
    ({"texts": ["\ud83d", "\ude00"]}, "texts must be Unicode"),
    ({"text": "a", "beam": 3}, "fields must be text, texts, k, threshold, labels, exclude; got"),
    ({"text": "a", "\ud800" * 100: 3}, "fields must be"),
    ({"text": "a", "k": 0}, "k must be an integer from 1 to 100; got 0"),
    ({"text": "a", "k": 101}, "got 101"),
    ({"text": "a", "k": -1}, "got -1"),
    ({"text": "a", "k": True}, "got true"),
    ({"text": "a", "k": 1.5}, "got 1.5"),
    ({"text": "a", "k": "5"}, 'got "5"'),
    ({"text": "a", "k": None}, "got null"),
    ({"text": "a", "k": 10**4000}, "k must be an integer from 1 to 100; got 1000"),
    ({"text": "a", "threshold": "0.5"}, 'threshold must be a finite number; got "0.5"'),
    ({"text": "a", "labels": "b"}, "labels must be a list of labels"),
    ({"text": "a", "exclude": [["b"]]}, "exclude must be a list of labels"),
    ({"text": "a", "threshold": True}, "threshold must be a finite number; got true"),
    ({"text": "a", "threshold": 10**4000}, "threshold must be a finite number"),
    ({"text": "a", "threshold": [[]]}, "threshold must be a finite number; got a list"),
]


@pytest.mark.parametrize(("fields", "message"), INVALID_FIELDS)
def test_suggest_rejects_invalid_fields(port, fields, message):
    response = post(port, fields)
    assert (response.status, list(response.content)) == (400, ["error"])
    assert message in response.content["error"]
    assert len(response.content["error"]) < 200


INVALID_BODIES = {
    "empty": (b"", "the body must be JSON"),
    "not an object": (b"[1, 2]", "the body must be a JSON object"),
    "duplicate key": (b'{"text": "a", "text": "b"}', 'given once; got "text" again'),
    "NaN": (b'{"text": "a", "k": NaN}', "NaN is not a JSON number"),
    "infinite": (b'{"text": "a", "threshold": 1e999}', "finite number; got Infinity"),
    "5,000 digits": (b'{"text": "a", "k": %s}' % (b"9" * 5000), "the body must be JSON"),
    "deep list": (b"[" * 100_000, "fewer nested lists"),
    "deep value": (b'{"text": %s%s}' % (b"[" * 500, b"]" * 500), "text must be a string"),
    "deep object": (b'{"a":' * 100_000, "fewer nested lists"),
    "invalid UTF-8": (b'{"text": "\xff"}', "must be UTF-8; got an invalid byte at position 10"),
    "UTF-16": ('{"text": "a"}'.encode("utf-16"), "must be UTF-8"),
    "NUL": (b'{"text": "a\0"}', "the body must be JSON"),
    "two values": (b'{"text": "a"} {}', "the body must be JSON"),
}


@pytest.mark.parametrize("name", INVALID_BODIES)
def test_suggest_rejects_invalid_body(port, name):
    body, message = INVALID_BODIES[name]
    response = send_raw(port, make_post(body))
    assert (response.status, list(response.content)) == (400, ["error"])
    assert message in response.content["error"]


INVALID_QUERIES = {
    "": "either",
    "text=a&k=one": 'k must be an integer from 1 to 100; got "one"',
    "text=a&k=": 'got ""',
    "text=a&k=05": 'got "05"',
    "text=a&k=true": "got true",
    "text=a&k=[[": 'got "[["',
    f"text=a&k={'9' * 5000}": "k must be an integer",
    "text=a&threshold=nan": "threshold must be a finite number",
    "text=a&threshold=1e999": "threshold must be a finite number",
    "text=a&best=3": "query parameters must be text, k, threshold",
    "texts=a": "query parameters must be text, k, threshold",
    "text=a&text=b": "given once",
    "text=%": "two hexadecimal digits",
    "text=%zz": "two hexadecimal digits",
    "text=%ff": "percent-encoded UTF-8",
    "text=%ED%A0%80": "percent-encoded UTF-8",
    "text=a" + "&k=1" * 50: "at most 10 parameters",
    "text=" + "a" * 40_000: "at most 32768 bytes",
}


@pytest.mark.parametrize("query", INVALID_QUERIES, ids=lambda query: query[:20])
def test_suggest_rejects_invalid_query(port, query):
    response = get(port, f"/suggest?{query}")
    assert response.status == (414 if len(query) > 2**15 else 400)
    assert list(response.content) == ["error"]
    assert INVALID_QUERIES[query] in response.content["error"]


def with_header(*lines, method="POST", target="/suggest", body=b'{"text": "word1"}'):
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: a", *lines, "", ""]).encode() + body


CHUNKED = b'11\r\n{"text": "word1"}\r\n0\r\n\r\n'
HOSTILE_REQUESTS = {
    "form": (with_header("Content-Type: application/x-www-form-urlencoded"), 415),
    "negative length": (with_header("Content-Length: -1"), 400),
    "length is no number": (with_header("Content-Length: a"), 400),
    "length of 5,000 digits": (with_header(f"Content-Length: {'9' * 5000}"), 400),
    "length of 19 digits": (with_header(f"Content-Length: {'9' * 19}"), 413),
    "length above limit": (with_header("Content-Length: 1048577"), 413),
    "two lengths": (with_header("Content-Length: 17", "Content-Length: 18"), 400),
    "equal lengths": (with_header("Content-Length: 17", "content-length : 17"), 400),
    "equal lengths of a request": (with_header("Content-Length: 17", "Content-Length: 17"), 400),
    "length and chunks": (
        with_header("Content-Length: 17", "Transfer-Encoding: chunked", body=CHUNKED),
        400,
    ),
    "chunks above limit": (
        with_header("Transfer-Encoding: chunked", body=b"fffff0\r\n" + b" " * 0xFFFFF0 + b"\r\n"),
        413,
    ),
    "invalid chunk": (with_header("Transfer-Encoding: chunked", body=b"zz\r\n\r\n"), 400),
    "invalid chunk after GET": (
        with_header("Transfer-Encoding: chunked", method="GET", body=b"zz\r\n\r\n"),
        400,
    ),
    "invalid chunk after HEAD": (
        with_header("Transfer-Encoding: chunked", method="HEAD", body=b"zz\r\n\r\n"),
        400,
    ),
    "unknown coding": (with_header("Transfer-Encoding: gzip"), 400),
    "no body": (with_header(body=b""), 400),
    "unknown path": (with_header("Content-Length: 17", target="/predict"), 404),
    "path of another server": (with_header(method="GET", target="http://[/", body=b""), 404),
    "path with NUL": (with_header(method="GET", target="/\0", body=b""), 400),
    "path with %00": (with_header(method="GET", target="/%00%ff", body=b""), 404),
    "path with parent": (with_header(method="GET", target="/../../etc/passwd", body=b""), 404),
    "path without slash": (with_header(method="GET", target="suggest", body=b""), 404),
    "path of 1 MB": (with_header(method="GET", target="/" + "a" * 10**6, body=b""), 400),
    "header of 1 MB": (with_header(f"X: {'a' * 10**6}", method="GET", body=b""), 400),
    "header of 5 MB": (with_header(*[f"X{i}: {'a' * 1000}" for i in range(5000)]), 400),
    "header with NUL": (with_header("X: \0", method="GET", body=b""), 400),
    "wrong method": (with_header("Content-Length: 17", method="PUT"), 405),
    "unknown method": (with_header(method="ABC", body=b""), 405),
    "connect": (with_header(method="CONNECT", target="a:80", body=b""), 404),
    "options": (with_header(method="OPTIONS", target="*", body=b""), 404),
    "post to page": (with_header("Content-Length: 17", target="/"), 405),
    "no host": (b"GET /suggest?text=a HTTP/1.1\r\n\r\n", 400),
    "HTTP 0.9": (b"GET /\r\n\r\n", 400),
    "HTTP 2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no HTTP": (b"\0" * 100 + b"\r\n\r\n", 400),
    "web socket": (
        with_header("Connection: Upgrade", "Upgrade: websocket", method="GET", body=b""),
        400,
    ),
}


@pytest.mark.parametrize("name", HOSTILE_REQUESTS)
def test_server_answers_hostile_request(port, name):
    request, status = HOSTILE_REQUESTS[name]
    response = send_raw(port, request)
    assert (response.status, list(response.content)) == (status, ["error"])
    if status == 405:
        assert set(response.headers["allow"].split(", ")) <= {"GET", "HEAD", "POST"}
    assert get(port, "/suggest?text=a").status == 200


def mutate(request, random):
    """Change, insert, remove or repeat bytes of a request."""
    changed = bytearray(request)
    for _ in range(random.randint(1, 4)):
        start = random.randrange(len(changed) + 1)
        stop = start + random.randint(0, 8)
        special = random.choice([b"\r", b"\n", b"\0", b":", b"%", b"[", b'"', b"9", b"\xff"])
        repeated = bytes(changed[random.randrange(len(changed) + 1) :][:20])
        changed[start:stop] = random.choice([b"", special, special * 50, repeated])
    return bytes(changed)


def test_server_survives_random_requests(port):
    # The fixture checks that no worker wrote an error message.
    random = Random(0)
    valid = [request for request, status in HOSTILE_REQUESTS.values() if len(request) < 1000]
    valid += [make_post({"text": "word1"}), with_header(method="GET", target="/suggest?text=a&k=2")]
    for _ in range(20):
        requests = [mutate(random.choice(valid), random) for _ in range(50)]
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(connect(port)) for _ in requests]
            for connection, request in zip(connections, requests, strict=True):
                connection.sendall(request)
            time.sleep(0.05)  # many requests are incomplete, so there is no end to wait for
            for connection in connections:
                connection.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    assert not connection.recv(100).startswith(b"HTTP/1.1 5")
    assert get(port, "/suggest?text=a").status == 200


def test_server_skips_body_of_get_and_of_rejected_request(port):
    get_with_body = with_header(
        "Content-Length: 7", method="GET", target="/health", body=b"NONSENS"
    )
    too_large = with_header("Content-Length: 2000000", body=b" " * 2_000_000)
    requests = [
        get_with_body,
        too_large,
        HOSTILE_REQUESTS["wrong method"][0],
        make_post({"text": ""}),
    ]
    with connect(port) as connection, connection.makefile("rb") as stream:
        connection.sendall(b"".join(requests))
        assert [read_response(stream).status for _ in requests] == [200, 413, 405, 200]


def test_server_closes_connection_after_early_answer_to_expect(port):
    for lines, status in [(("Content-Length: 2000000",), 413), (("Content-Length: 17",), 200)]:
        with connect(port) as connection, connection.makefile("rb") as stream:
            connection.sendall(with_header(*lines, "Expect: 100-continue", body=b""))
            if status == 200:
                assert stream.readline().startswith(b"HTTP/1.1 100")
                assert stream.readline() == b"\r\n"
                connection.sendall(b'{"text": "word1"}')
            assert read_response(stream).status == status
            assert read_response(stream) is None


def test_server_ignores_client_that_disconnects(port):
    partial = [b"", b"GE", with_header("Content-Length: 1000"), with_header("Content-Length: 17")]
    for request in partial:
        with connect(port) as connection:
            connection.sendall(request)
    assert get(port, "/suggest?text=a").status == 200


def test_server_answers_pipelined_requests_in_order(port, model):
    texts = make_texts(20, seed=1)
    with connect(port) as connection, connection.makefile("rb") as stream:
        connection.sendall(b"".join(make_post({"text": text, "k": 2}) for text in texts))
        for text in texts:
            assert read_response(stream).content == expected_reply(model, [text], 2)


def test_server_answers_200_clients_correctly(port, model):
    texts = make_texts(200, seed=2)
    expected = expected_reply(model, texts, 3)["suggestions"]

    def run_client(i):
        with connect(port) as connection, connection.makefile("rb") as stream:
            for j in range(5):
                index = (i * 7 + j) % len(texts)
                connection.sendall(make_post({"text": texts[index], "k": 3}))
                response = read_response(stream)
                assert (response.status, response.content) == (
                    200,
                    {"suggestions": [expected[index]]},
                )

    with ThreadPoolExecutor(200) as clients:
        list(clients.map(run_client, range(200)))


def test_page_is_html_with_a_content_security_policy(port):
    response = get(port, "/")
    assert (response.status, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert response.content.startswith(b"<!DOCTYPE html>")
    assert response.headers["content-security-policy"].startswith("default-src 'none'; script-src ")


def test_health_describes_model(port, model):
    health = get(port, "/health").content
    expected = {
        "status": "ok",
        "model": "tags.model",
        "n_labels": len(model.classes_),
        "reload_error": None,
    }
    assert {name: health[name] for name in expected} == expected
    assert datetime.fromisoformat(health["loaded_at"]) < datetime.now(UTC)


def test_workers_share_connections_and_metrics(port):
    processes = {get(port, "/health").content["process"] for _ in range(50)}
    assert len(processes) == 2
    lines = get(port, "/metrics").content.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(values['skxmr_requests_total{path="/health",status="200"}']) >= 50
    assert values["skxmr_failed_reloads_total"] == "0.0"
    assert "skxmr_suggest_seconds_count" in values


@pytest.mark.parametrize("workers", [1, 2])
def test_serve_rejects_address_of_another_server(port, model_path, workers):
    message = f"host and port must be available; got 127.0.0.1 and {port}: .* Choose another port"
    with pytest.raises(OSError, match=message):
        serve(model_path, port=port, workers=workers)
