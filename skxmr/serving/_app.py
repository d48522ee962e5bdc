"""The ASGI app: suggestions, the page, health and metrics."""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from skxmr.serving._limits import Limits
from skxmr.serving._metrics import Metrics
from skxmr.serving._model import ServedModel
from skxmr.serving._requests import RequestError, parse_body, parse_query, read_body

# A second thread uses the time in which kernels of the first run without the interpreter lock.
N_THREADS = 2


def make_app(path, *, limits=None):
    """Make an ASGI app that serves a saved model.

    Use it with another ASGI server, or as a part of another app. `serve` runs it with uvicorn.

    Parameters
    ----------
    path : str or path-like
        Folder of a model that takes texts, which `skxmr.save_model` wrote. If the folder is
        replaced, the app loads the new model within about a second.
    limits : Limits or None, default=None
        Limits of requests. None means ``Limits()``. The server outside of the app has to apply
        `idle_seconds` and `shutdown_seconds`.

    Returns
    -------
    starlette.applications.Starlette
        The app, with the paths ``/``, ``/suggest``, ``/health`` and ``/metrics``.

    Raises
    ------
    OSError, ImportError
        If the folder cannot be read, or a package of the model is missing.
    ValueError
        If the folder is not a valid model, or the model does not take texts.

    See Also
    --------
    serve : Run the app with several worker processes.

    Examples
    --------
    >>> import tempfile
    >>> from skxmr import make_text_classifier, save_model
    >>> from skxmr.serving import make_app
    >>> model = make_text_classifier().fit(["red apple", "old car"], ["fruit", "vehicle"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, f"{folder}/model")
    ...     app = make_app(f"{folder}/model")
    >>> [route.path for route in app.routes]
    ['/', '/health', '/metrics', '/suggest']
    """
    service = _Service(path, limits or Limits())

    @contextlib.asynccontextmanager
    async def lifespan(app):
        service.model.start_watching()
        yield
        service.model.stop_watching()

    routes = [
        Route("/", service.show_page),
        Route("/health", service.show_health),
        Route("/metrics", service.show_metrics),
        Route("/suggest", service.suggest, methods=["GET", "POST"]),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={
            RequestError: _answer_request_error,
            HTTPException: _answer_http_error,
            ClientDisconnect: _answer_disconnect,
            Exception: _answer_failure,
        },
    )
    app.router.redirect_slashes = False
    paths = {route.endpoint: route.path for route in routes}
    app.add_middleware(_CountRequests, metrics=service.metrics, paths=paths)
    return app


class _Service:
    """Endpoints of an app."""

    def __init__(self, path, limits):
        self.limits = limits
        self.metrics = Metrics()
        self.model = ServedModel(path, on_reload=self.metrics.count_reload)
        self.page, self.page_headers = _read_page()
        self.executor = ThreadPoolExecutor(N_THREADS, thread_name_prefix="skxmr-suggest")
        self.n_pending = 0

    async def show_page(self, request):
        return Response(self.page, media_type="text/html", headers=self.page_headers)

    async def show_health(self, request):
        model = self.model.current
        return _make_response(
            {
                "status": "ok",
                "model": self.model.path.name,
                "n_labels": model.n_labels,
                "loaded_at": model.loaded_at.isoformat(timespec="milliseconds"),
                "reload_error": self.model.reload_error,
                "process": os.getpid(),
            }
        )

    async def show_metrics(self, request):
        return Response(self.metrics.render(), media_type=CONTENT_TYPE_LATEST)

    async def suggest(self, request):
        if request.method == "POST":
            parsed = parse_body(await read_body(request, self.limits), self.limits)
        else:
            parsed = parse_query(request.scope["query_string"], self.limits)
        body = await self.predict(parsed)
        self.metrics.texts.inc(len(parsed.texts))
        return Response(body, media_type="application/json")

    async def predict(self, parsed):
        """Return the body of a response, computed in another thread."""
        if self.n_pending >= self.limits.max_pending:
            raise RequestError(
                503,
                f"at most {self.limits.max_pending} requests can be pending. Try again later.",
                Retry_After="1",
            )
        self.n_pending += 1
        try:
            # The whole response comes from this model, also if it is replaced meanwhile.
            model = self.model.current
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.executor, model.suggest_as_json, *parsed)
        finally:
            self.n_pending -= 1


class _CountRequests:
    """Middleware that counts requests and their time."""

    def __init__(self, app, metrics, paths):
        self.app, self.metrics, self.paths = app, metrics, paths

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        status = 500
        start = time.perf_counter()
        # After an early response, a client that sent "Expect" would not send the body. The end of
        # its request would then be unclear.
        has_expect = any(name == b"expect" for name, _ in scope["headers"])

        async def send_and_note_status(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if has_expect:
                    message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note_status)
        finally:
            # The router has stored the endpoint. The path of the request can have a prefix.
            path = self.paths.get(scope.get("endpoint"), "other")
            self.metrics.requests.labels(path, status).inc()
            if path == "/suggest":
                self.metrics.seconds.observe(time.perf_counter() - start)


def _make_response(content, status=200, headers=None):
    body = json.dumps(content).encode()
    return Response(body, status, headers, media_type="application/json")


async def _answer_request_error(request, error):
    return _make_response({"error": str(error)}, error.status, error.headers)


async def _answer_http_error(request, error):
    message = error.detail
    if error.status_code == 404:
        message = "the path must be /, /health, /metrics or /suggest"
    elif error.status_code == 405:
        allowed = error.headers["Allow"]
        message = f"the method must be one of {allowed}; got {request.method}"
    return _make_response({"error": message}, error.status_code, error.headers)


async def _answer_disconnect(request, error):
    # Nobody receives this response.
    return _make_response({"error": "the connection was closed before the end of the body"}, 400)


async def _answer_failure(request, error):
    return _make_response({"error": "the request failed; see the log of the server"}, 500)


def _read_page():
    """Read the HTML page; its headers allow only its own script and style."""
    page = (files("skxmr.serving") / "page.html").read_text(encoding="utf-8")

    def make_source(tag):
        content = re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        return f"{tag}-src 'sha256-{digest}'"

    policy = [
        "default-src 'none'",
        make_source("script"),
        make_source("style"),
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    headers = {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return page, headers
