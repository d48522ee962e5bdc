"""A text model, and a server with two workers for it."""

import pytest


@pytest.fixture(scope="session")
def model_path(tmp_path_factory):
    from helpers.text_models import save_text_model

    path = tmp_path_factory.mktemp("served") / "tags.model"
    save_text_model(path, seed=0)
    return path


@pytest.fixture(scope="session")
def model(model_path):
    from skxmr import load_model

    return load_model(model_path)


@pytest.fixture(scope="module")
def port(model_path):
    from helpers.servers import running_server

    with running_server(model_path, workers=2) as server:
        yield server.port
