"""Serve a saved model over HTTP."""

try:
    from skxmr.serving._app import make_app
    from skxmr.serving._server import serve
except ModuleNotFoundError as error:
    missing = (error.name or "").partition(".")[0]
    if missing not in ("uvicorn", "starlette", "prometheus_client"):
        raise
    raise ImportError(
        f"skxmr serve needs uvicorn, starlette and prometheus_client; {missing} is not "
        "installed. Install them with: pip install 'skxmr[serve]'."
    ) from error
from skxmr.serving._limits import Limits

__all__ = ["Limits", "make_app", "serve"]
