"""Ctrl-C: the run is Cancelled, what is kept is said, and the process ends at once, whatever its threads are doing.

A training spends minutes in compiled code and in threads that no exception reaches. All that it writes can be cut short
at any moment, so ending it is safe.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

EXIT_CODE = 130  # as shells have it: 128 + SIGINT
SECONDS = 3  # for telling Prefect; then it ends all the same

_active_runs: set[Any] = set()
_actions: list[Callable[[], object]] = []
_begun = threading.Event()
_what_is_kept: Callable[[], str] | None = None


def answer_interrupts() -> None:
    """Wait for Ctrl-C in a thread of its own; to be called before any other thread is started.

    Every other thread leaves the signal to it, and so does each child: the temporary server that Prefect starts would
    else be ended by the same Ctrl-C, and who asks it wait in vain.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    threading.Thread(target=_wait, name="interruption", daemon=True).start()


def cancel_when_interrupted(flow: Any) -> None:
    """Runs of a flow that has begun here, and not ended, shall not seem to run for ever."""

    def begin(_flow: Any, run: Any, _state: Any) -> None:
        _active_runs.add(run.id)

    def end(_flow: Any, run: Any, _state: Any) -> None:
        _active_runs.discard(run.id)

    flow.on_running(begin)
    for ended in (flow.on_completion, flow.on_failure, flow.on_crashed, flow.on_cancellation):
        ended(end)


def say_when_interrupted(what_is_kept: Callable[[], str]) -> None:
    """What to add to "Interrupted.": a sentence on what is kept, and on how to go on."""
    global _what_is_kept
    _what_is_kept = what_is_kept


def do_when_interrupted(action: Callable[[], object]) -> None:
    """What has to be done first: a terminal's cursor is shown again, servers are ended."""
    _actions.append(action)


def let_it_end() -> None:
    """For the main thread, which must not end the process, with another exit code, while Ctrl-C is being answered."""
    if _begun.is_set():
        threading.Event().wait()


def _wait() -> None:
    signal.sigwait({signal.SIGINT})
    _begun.set()
    _act()
    telling = threading.Thread(target=_cancel_runs, daemon=True)
    telling.start()
    telling.join(SECONDS)
    sys.stdout.flush()
    _act()  # the other threads went on meanwhile, and may have begun to show something else
    said = " ".join(["Interrupted.", *([_what_is_kept()] if _what_is_kept else [])])
    over_the_echo = "\r\x1b[K" if sys.stderr.isatty() else ""  # the terminal has written ^C, once for each press
    print(f"{over_the_echo}{said}", file=sys.stderr, flush=True)
    os._exit(EXIT_CODE)


def _act() -> None:
    for action in [*_actions]:
        action()


def _cancel_runs() -> None:
    if "prefect" not in sys.modules:
        return
    from prefect.client.orchestration import get_client
    from prefect.server.api.server import SubprocessASGIServer
    from prefect.states import Cancelled

    server = SubprocessASGIServer()
    try:
        if _active_runs:
            with get_client(sync_client=True) as client:
                for run in _active_runs:
                    client.set_flow_run_state(run, Cancelled(message="Interrupted."), force=True)
    finally:
        if server.server_process:
            server.server_process.kill()
