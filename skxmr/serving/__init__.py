"""Serve a saved model over HTTP."""

try:
    from skxmr.serving._app import make_app
    from skxmr.serving._server import serve
except ModuleNotFoundError as error:
    if error.name not in ("uvicorn", "starlette", "prometheus_client"):
        raise
    raise ImportError(
        f"skxmr serve needs uvicorn, starlette and prometheus_client; {error.name} is not "
        "installed. Install them with: pip install 'skxmr[serve]'."
    ) from error
from skxmr.serving._limits import Limits

__all__ = ["Limits", "make_app", "serve"]
