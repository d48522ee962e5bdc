"""The ASGI app as a part of another app, and failures inside of it."""

import asyncio
import json

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from helpers.text_models import expected_reply
from skxmr.serving import Limits, make_app


def call_app(app, method, path, body=b"", query=b"", content_type=b"application/json"):
    """Send a request to an ASGI app; return the status and the body."""
    messages = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [(b"content-type", content_type), (b"content-length", b"%d" % len(body))],
        "client": None,
        "server": ("127.0.0.1", 80),
    }

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        messages.append(message)

    asyncio.run(app(scope, receive, send))
    return messages[0]["status"], b"".join(message.get("body", b"") for message in messages[1:])


def test_app_can_be_mounted(model_path, model):
    app = Starlette(routes=[Mount("/tags", make_app(model_path, limits=Limits(max_labels=3)))])
    body = json.dumps({"text": "word1", "k": 2}).encode()
    status, reply = call_app(app, "POST", "/tags/suggest", body)
    assert (status, json.loads(reply)) == (200, expected_reply(model, ["word1"], 2))
    assert call_app(app, "GET", "/tags/suggest", query=b"text=a&k=4")[0] == 400
    assert call_app(app, "GET", "/tags/other")[0] == 404
    assert call_app(app, "GET", "/tags/")[0] == 200
    metrics = call_app(app, "GET", "/tags/metrics")[1].decode().splitlines()
    for line in [
        'skxmr_requests_total{path="/suggest",status="200"} 1.0',
        'skxmr_requests_total{path="/suggest",status="400"} 1.0',
        'skxmr_requests_total{path="other",status="404"} 1.0',
        'skxmr_requests_total{path="/",status="200"} 1.0',
        "skxmr_suggest_seconds_count 2.0",
        "skxmr_texts_total 1.0",
    ]:
        assert line in metrics


def test_apps_in_one_process_count_separately(model_path):
    apps = [make_app(model_path) for _ in range(2)]
    call_app(apps[0], "GET", "/suggest", query=b"text=a")
    counts = [b"skxmr_texts_total 1.0" in call_app(app, "GET", "/metrics")[1] for app in apps]
    assert counts == [True, False]


def test_app_answers_500_if_prediction_fails(model_path, monkeypatch):
    app = make_app(model_path)
    monkeypatch.setattr("skxmr.serving._model.LoadedModel.suggest_as_json", None)
    # The server logs this error.
    with pytest.raises(TypeError):
        call_app(app, "GET", "/suggest", query=b"text=a")
    metrics = call_app(app, "GET", "/metrics")[1].decode()
    assert 'skxmr_requests_total{path="/suggest",status="500"} 1.0' in metrics


def test_app_watches_folder_during_its_lifespan(model_path):
    app = make_app(model_path)

    async def run_lifespan():
        events = iter(["lifespan.startup", "lifespan.shutdown"])
        sent = []

        async def receive():
            return {"type": next(events)}

        async def send(message):
            sent.append(message["type"])

        await app({"type": "lifespan", "state": {}}, receive, send)
        return sent

    complete = ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert asyncio.run(run_lifespan()) == complete
