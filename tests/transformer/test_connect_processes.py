"""When `fit` connects with other processes. No process is started."""

import multiprocessing

import pytest
import torch

from skxmr.transformer._distributed import connect_processes

LAUNCHER = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


@pytest.fixture
def backends(monkeypatch):
    """Return the list of the backends that torch was asked to initialize."""
    backends = []
    monkeypatch.setattr(torch.distributed, "init_process_group", backends.append)
    for name, value in LAUNCHER.items():
        monkeypatch.setenv(name, value)
    return backends


@pytest.mark.parametrize(("device", "backend"), [("cpu", "gloo"), ("cuda:1", "cpu:gloo,cuda:nccl")])
def test_process_of_launcher_is_connected(backends, device, backend):
    connect_processes(torch.device(device))
    assert backends == [backend]


def test_existing_process_group_is_used(backends, monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    connect_processes(torch.device("cpu"))
    assert backends == []


@pytest.mark.parametrize("name", LAUNCHER)
def test_process_without_launcher_is_not_connected(backends, monkeypatch, name):
    monkeypatch.delenv(name)
    connect_processes(torch.device("cpu"))
    assert backends == []


def test_single_process_of_launcher_is_not_connected(backends, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    connect_processes(torch.device("cpu"))
    assert backends == []


def test_worker_of_joblib_is_not_connected(backends, monkeypatch):
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: "process of the launcher")
    connect_processes(torch.device("cpu"))
    assert backends == []
