"""Questions get the newest outcome of a look, and do not wait for a slow one."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from app.web import refreshed
from app.web.refreshed import Refreshed

LONG = 60.0


class Look:
    """A look that counts, and waits where it is told to."""

    def __init__(self) -> None:
        self.made = 0
        self.error: Exception | None = None
        self.go_on = threading.Event()
        self.go_on.set()
        self.waits = threading.Event()

    def __call__(self) -> int:
        if not self.go_on.is_set():
            self.waits.set()
            assert self.go_on.wait(LONG)
        if self.error is not None:
            raise self.error
        self.made += 1
        return self.made


@pytest.fixture(autouse=True)
def only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshed, "INTERVAL_SECONDS", LONG)


def started(
    look: Callable[[], int], monkeypatch: pytest.MonkeyPatch, wait: float
) -> Refreshed[int]:
    monkeypatch.setattr(refreshed, "MAX_WAIT_SECONDS", wait)
    value = Refreshed(look)
    value.start()
    return value


def test_without_a_thread_each_question_looks() -> None:
    value = Refreshed(Look())
    assert [value.get(), value.get()] == [1, 2]


def test_a_quick_look_is_made_for_each_question(monkeypatch: pytest.MonkeyPatch) -> None:
    value = started(Look(), monkeypatch, LONG)
    assert [value.get(), value.get(), value.get()] == [1, 2, 3]
    value.stop()
    assert value.get() == 4


def test_a_slow_look_leaves_the_last_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    look = Look()
    value = started(look, monkeypatch, 0.02)
    monkeypatch.setattr(refreshed, "MAX_AGE_SECONDS", LONG)
    value.get()
    look.go_on.clear()
    seen = look.made
    assert [value.get() for _ in range(5)] == [seen] * 5
    assert look.waits.wait(LONG)
    look.go_on.set()
    value.stop()
    assert look.made == seen + 1, "once for all who asked"


def test_an_old_outcome_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    look = Look()
    value = started(look, monkeypatch, 0.02)
    seen = value.get()
    monkeypatch.setattr(refreshed, "MAX_AGE_SECONDS", 0.0)
    look.go_on.clear()
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(value.get()))
    asking.start()
    assert look.waits.wait(LONG)
    assert answers == []
    look.go_on.set()
    asking.join(LONG)
    assert answers[0] > seen
    value.stop()


def test_errors_are_for_those_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    look = Look()
    value = started(look, monkeypatch, LONG)
    look.error = ValueError("broken")
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            value.get()
    look.error = None
    assert value.get() == 1
    value.stop()


def test_the_value_is_kept_fresh_while_somebody_asked_lately(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    enough = threading.Event()
    look = Look()

    def counted() -> int:
        made = look()
        if made >= 3:
            enough.set()
        return made

    monkeypatch.setattr(refreshed, "INTERVAL_SECONDS", 0.01)
    value = started(counted, monkeypatch, LONG)
    assert not enough.wait(0.1), "nobody has asked"
    assert look.made == 0
    value.get()
    assert enough.wait(LONG)
    value.stop()
