"""Exceptions of signal handlers that are raised at the end of a block."""

import os
import signal
import threading
import time

import pytest

from skxmr._core.signals import DeferredSignals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="os.kill ends the process on Windows")


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def test_deferred_signals_raise_at_the_end_of_the_block():
    steps = []
    with pytest.raises(KeyboardInterrupt), DeferredSignals():  # noqa: PT012
        interrupt()
        steps.append("after")
    assert steps == ["after"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_deferred_signals_interrupt_a_call_of_run_once():
    steps = []

    def work():
        interrupt()
        time.sleep(10)

    with pytest.raises(KeyboardInterrupt), DeferredSignals() as signals:  # noqa: PT012
        try:
            signals.run(work)
        finally:
            interrupt()
            steps.append("cleanup")
    assert steps == ["cleanup"]


def test_deferred_signals_before_run_prevent_the_call():
    with pytest.raises(KeyboardInterrupt), DeferredSignals() as signals:  # noqa: PT012
        interrupt()
        signals.run(pytest.fail)


def test_deferred_signals_of_two_kinds_call_both_handlers(monkeypatch):
    calls = []
    old = signal.signal(signal.SIGTERM, lambda number, frame: calls.append(number))
    try:
        with pytest.raises(KeyboardInterrupt), DeferredSignals():  # noqa: PT012
            interrupt()
            os.kill(os.getpid(), signal.SIGTERM)
            assert calls == []
    finally:
        signal.signal(signal.SIGTERM, old)
    assert calls == [signal.SIGTERM]


def test_deferred_signals_in_a_block_in_a_block_raise_in_the_outer_run():
    steps = []

    def work():
        with DeferredSignals():
            interrupt()
            steps.append("inner")
        steps.append("never")

    with pytest.raises(KeyboardInterrupt), DeferredSignals() as signals:
        signals.run(work)
    assert steps == ["inner"]


def test_deferred_signals_change_nothing_in_other_threads():
    found = []

    def work():
        with DeferredSignals() as signals:
            found.append((signals.run(abs, -3), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(3, signal.default_int_handler)]
