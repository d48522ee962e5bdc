"""Exceptions of signal handlers that are raised at the end of a block."""

import os
import signal
import threading
import time

import pytest

from skxmr._core import signals
from skxmr._core.signals import DeferredSignals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="os.kill ends the process on Windows")


@pytest.fixture
def on_sigterm():
    """Function that sets the handler of SIGTERM until the end of the test."""
    old = signal.getsignal(signal.SIGTERM)

    def set_handler(handler):
        signal.signal(signal.SIGTERM, handler)
        return handler

    yield set_handler
    signal.signal(signal.SIGTERM, old)


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

    with pytest.raises(KeyboardInterrupt), DeferredSignals() as deferred:  # noqa: PT012
        try:
            deferred.run(work)
        finally:
            interrupt()
            steps.append("cleanup")
    assert steps == ["cleanup"]


def test_deferred_signals_before_run_prevent_the_call():
    with pytest.raises(KeyboardInterrupt), DeferredSignals() as deferred:  # noqa: PT012
        interrupt()
        deferred.run(pytest.fail)


def test_deferred_signals_of_two_kinds_call_both_handlers(on_sigterm):
    calls = []
    on_sigterm(lambda number, frame: calls.append(number))
    with pytest.raises(KeyboardInterrupt), DeferredSignals():  # noqa: PT012
        interrupt()
        os.kill(os.getpid(), signal.SIGTERM)
        assert calls == []
    assert calls == [signal.SIGTERM]


def test_deferred_signals_in_a_block_in_a_block_raise_in_the_outer_run():
    steps = []

    def work():
        with DeferredSignals():
            interrupt()
            steps.append("inner")
        steps.append("never")

    with pytest.raises(KeyboardInterrupt), DeferredSignals() as deferred:
        deferred.run(work)
    assert steps == ["inner"]


def test_deferred_signals_interrupt_run_while_a_handler_that_raises_nothing_runs(on_sigterm):
    on_sigterm(lambda *_: interrupt())
    steps = []

    def work():
        os.kill(os.getpid(), signal.SIGTERM)
        steps.append("never")

    with pytest.raises(KeyboardInterrupt), DeferredSignals() as deferred:
        deferred.run(work)
    assert steps == []


def test_deferred_signals_raise_the_interrupt_if_the_cleanup_fails():
    def work():
        try:
            interrupt()
        finally:
            raise ValueError("cannot be closed")

    with pytest.raises(KeyboardInterrupt), DeferredSignals() as deferred:
        deferred.run(work)


def test_deferred_signals_interrupt_run_again_if_it_catches_the_exception(monkeypatch):
    monkeypatch.setattr(signals, "SECONDS_TO_STOP", 0)
    steps = []

    def work():
        try:
            interrupt()
        except KeyboardInterrupt:
            steps.append("caught")
        interrupt()
        steps.append("never")

    with pytest.raises(KeyboardInterrupt), DeferredSignals() as deferred:
        deferred.run(work)
    assert steps == ["caught"]


def test_deferred_signals_of_any_number_call_the_handler(on_sigterm):
    calls = []
    on_sigterm(lambda number, frame: calls.append(number))
    with DeferredSignals():
        for _ in range(3000):
            os.kill(os.getpid(), signal.SIGTERM)
    assert calls == [signal.SIGTERM]


def test_deferred_signals_restore_all_handlers_if_a_restored_one_raises(on_sigterm, monkeypatch):
    calls = []
    handler = on_sigterm(lambda number, frame: calls.append(number))
    set_handler = signal.signal

    def set_and_interrupt(number, new_handler):
        set_handler(number, new_handler)
        if new_handler is signal.default_int_handler:
            interrupt()

    with pytest.raises(KeyboardInterrupt), DeferredSignals():  # noqa: PT012
        monkeypatch.setattr(signal, "signal", set_and_interrupt)
        os.kill(os.getpid(), signal.SIGTERM)
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is handler
    assert calls == [signal.SIGTERM]


def test_deferred_signals_keep_a_handler_that_was_set_inside(on_sigterm):
    on_sigterm(lambda *_: None)
    with DeferredSignals():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_deferred_signals_change_nothing_in_other_threads():
    found = []

    def work():
        with DeferredSignals() as deferred:
            found.append((deferred.run(abs, -3), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(3, signal.default_int_handler)]
