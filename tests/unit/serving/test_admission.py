"""The limit of requests in flight follows the latency while there is an overload."""

from __future__ import annotations

from serving.admission import (
    CALM_S,
    FIRST_LIMIT,
    MAX_RETRY_AFTER_S,
    MIN_LIMIT,
    TOLERANCE,
    WINDOW_S,
    Admission,
)

ALONE_S = 0.001
MAX = 1024


class Clock:
    """A clock that the tests move."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def an_admission() -> tuple[Admission, Clock]:
    """Return one that knows the latency of a request that is alone."""
    clock = Clock()
    admission = Admission(MAX, clock)
    for _ in range(100):
        answer_one(admission, clock, ALONE_S)
    return admission, clock


def answer_one(admission: Admission, clock: Clock, took_s: float) -> None:
    assert admission.enter()
    arrived_s = clock.now_s
    clock.now_s += took_s
    admission.leave(arrived_s)


def overload(admission: Admission) -> None:
    """Fill it, and let those that were admitted before leave."""
    while admission.enter():
        pass
    while admission.in_flight:
        admission.leave(None)


def serve(admission: Admission, clock: Clock, took_s: float, windows: int) -> None:
    """Serve requests of a latency for some windows, while one more is refused in each."""
    for _ in range(windows):
        arrived_s = clock.now_s
        while admission.enter():
            pass
        clock.now_s += max(took_s, WINDOW_S)
        while admission.in_flight:
            admission.leave(clock.now_s - took_s if clock.now_s - took_s > arrived_s else arrived_s)


def test_nothing_is_refused_up_to_the_largest_number_in_flight() -> None:
    admission, _ = an_admission()
    assert [admission.enter() for _ in range(MAX)] == [True] * MAX
    assert admission.limit == MAX
    assert not admission.enter()


def test_an_overload_lowers_the_limit_until_the_backlog_is_served() -> None:
    admission, _ = an_admission()
    for _ in range(MAX):
        admission.enter()
    assert not admission.enter()
    assert admission.limit == FIRST_LIMIT
    for _ in range(MAX - FIRST_LIMIT):
        admission.leave(None)
        assert not admission.enter()
    admission.leave(None)
    assert admission.enter()


def test_the_limit_falls_while_requests_take_too_long_and_grows_while_they_do_not() -> None:
    admission, clock = an_admission()
    overload(admission)
    serve(admission, clock, ALONE_S * TOLERANCE * 1.3, 3)
    assert MIN_LIMIT < admission.limit < FIRST_LIMIT
    serve(admission, clock, ALONE_S * TOLERANCE * 10, 20)
    assert admission.limit == MIN_LIMIT
    serve(admission, clock, ALONE_S * TOLERANCE * 0.8, 200)
    assert admission.limit == MAX


def test_requests_from_before_the_overload_do_not_count() -> None:
    admission, clock = an_admission()
    long_ago_s = clock.now_s - 3
    overload(admission)
    clock.now_s += WINDOW_S * 2
    admission.enter()
    admission.leave(long_ago_s)
    assert admission.limit == FIRST_LIMIT


def test_the_overload_is_over_after_a_time_without_a_refusal() -> None:
    admission, clock = an_admission()
    overload(admission)
    for _ in range(FIRST_LIMIT):
        assert admission.enter()
    assert not admission.enter()
    clock.now_s += CALM_S + admission.retry_after_s - 0.01
    assert not admission.enter()
    clock.now_s += CALM_S + admission.retry_after_s
    assert admission.enter()
    assert admission.limit == MAX


def test_the_overload_goes_on_while_refusals_are_held() -> None:
    admission, clock = an_admission()
    overload(admission)
    admission.held = 1
    clock.now_s += 10
    for _ in range(FIRST_LIMIT):
        assert admission.enter()
    assert not admission.enter()


def test_refusals_for_a_rate_that_are_held_do_not_keep_the_overload_going() -> None:
    admission, clock = an_admission()
    overload(admission)
    admission.held_for_rate = 1
    clock.now_s += 10
    assert [admission.enter() for _ in range(MAX)] == [True] * MAX


def test_the_overload_is_over_too_when_requests_end_and_none_was_refused() -> None:
    admission, clock = an_admission()
    overload(admission)
    clock.now_s += CALM_S + admission.retry_after_s
    answer_one(admission, clock, ALONE_S)
    assert admission.limit == MAX


def test_a_limit_that_is_not_reached_does_not_grow() -> None:
    admission, clock = an_admission()
    overload(admission)
    limits = []
    for _ in range(8):
        clock.now_s += WINDOW_S
        answer_one(admission, clock, ALONE_S)
        limits.append(admission.limit)
    # In the first window it was reached.
    assert set(limits) == {limits[0]}


def test_without_a_latency_to_compare_with_the_limit_stays() -> None:
    clock = Clock()
    admission = Admission(MAX, clock)
    overload(admission)
    serve(admission, clock, 0.5, 5)
    assert admission.limit == FIRST_LIMIT


def ask_and_answer(admission: Admission, clock: Clock, clients: int, answered_per_s: int) -> None:
    """Let clients that obey Retry-After ask for some seconds, while requests are answered."""
    due = 0.0
    for _ in range(12):
        wait_s = admission.retry_after_s
        for _ in range(clients):
            clock.now_s += wait_s / clients
            assert not admission.enter()
            due += answered_per_s * wait_s / clients
            while due >= 1:
                due -= 1
                admission.leave(None)
                assert admission.enter()


def test_more_clients_are_asked_to_wait_longer() -> None:
    admission, clock = an_admission()
    overload(admission)
    while admission.enter():
        pass
    assert admission.retry_after_s == 1
    ask_and_answer(admission, clock, clients=1200, answered_per_s=1000)
    assert admission.retry_after_s in {3, 4}
    ask_and_answer(admission, clock, clients=1200, answered_per_s=200)
    assert admission.retry_after_s == MAX_RETRY_AFTER_S
    ask_and_answer(admission, clock, clients=600, answered_per_s=200)
    assert admission.retry_after_s in {8, 9}
    ask_and_answer(admission, clock, clients=6000, answered_per_s=200)
    assert admission.retry_after_s == MAX_RETRY_AFTER_S
    ask_and_answer(admission, clock, clients=300, answered_per_s=1000)
    assert admission.retry_after_s == 1


def test_in_an_overload_a_tenant_below_its_share_is_admitted_and_one_above_is_not() -> None:
    admission, _ = an_admission()
    while admission.enter(1):
        pass
    while admission.in_flight > FIRST_LIMIT:
        admission.leave(None, 1)
    assert not admission.enter(1)
    assert [admission.enter(2) for _ in range(FIRST_LIMIT)].count(True) == FIRST_LIMIT // 2
    # The tenant that floods gives up what it has too much, and gets its share again.
    for _ in range(FIRST_LIMIT // 2 + 1):
        assert not admission.enter(1)
        admission.leave(None, 1)
    assert admission.enter(1)
    assert not admission.enter(1)


def test_one_tenant_alone_has_the_whole_limit() -> None:
    admission, _ = an_admission()
    overload(admission)
    assert [admission.enter(1) for _ in range(FIRST_LIMIT)] == [True] * FIRST_LIMIT
    assert not admission.enter(1)
