"""Which contacts are bad, whatever a refusal names."""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.activecampaign.refusals import (
    FEWEST,
    PROBES,
    SINGLES_A_BATCH,
    SINGLES_A_LANE,
    Positions,
    Search,
    Verdict,
    _State,
    search,
)

type Naming = Callable[[list[int], list[int]], list[int]]  # (places of the bad, places of the good) -> places to name

NAMINGS: dict[str, Naming] = {
    "all": lambda bad, good: bad,
    "the first": lambda bad, good: bad[:1],
    "the last": lambda bad, good: bad[-1:],
    "every other": lambda bad, good: bad[::2],
    "none": lambda bad, good: [],
    "out of range": lambda bad, good: [10_000],
    "negative": lambda bad, good: [-7],
    "everybody": lambda bad, good: sorted(bad + good),
    "a good one": lambda bad, good: good[len(good) // 2 :][:1],
    "the first good ones": lambda bad, good: good[:3],
}
TRUE = ("all", "the first", "the last", "every other")


@dataclass
class Server:
    """Refuses every request that holds a bad contact; `namings` take turns in saying which."""

    bad: set[int]
    base: int
    namings: Sequence[str]
    requests: list[Positions] = field(default_factory=list)

    def judge(self, sent: Positions) -> Verdict:
        assert sent
        self.requests.append(sent)
        bad = [place for place, position in enumerate(sent) if position in self.bad]
        good = [place for place, position in enumerate(sent) if position not in self.bad]
        if not bad:
            return None
        naming = NAMINGS[self.namings[len(self.requests) % len(self.namings)]]
        return [place + self.base for place in naming(bad, good)]


def run(server: Server, count: int, alone: int | None = None) -> Search:
    """Search to the end. `search` replays all verdicts each time; here each is told once, which is faster."""
    state = _State(alone)
    steps = state.run(tuple(range(count)))
    try:
        send = next(steps)
        while True:
            verdict = server.judge(send)
            state.note(len(server.requests) - 1, send, verdict)
            send = steps.send(verdict)
    except StopIteration:
        return state.result(())


def singles(server: Server) -> int:
    """Count the contacts that were sent alone, but for a batch of one."""
    return sum(len(request) == 1 for request in server.requests[1:])


def everybody(requests: Iterable[Positions]) -> list[int]:
    return sorted(position for request in requests for position in request)


@st.composite
def batches(draw: st.DrawFn) -> tuple[int, set[int]]:
    count = draw(st.one_of(st.integers(1, 12), st.just(250)))
    bad = draw(st.sets(st.integers(0, count - 1), max_size=draw(st.sampled_from([1, 3, 8]))))
    return count, bad


@settings(deadline=None)
@given(batches(), st.sampled_from([0, 1]), st.lists(st.sampled_from(sorted(NAMINGS)), min_size=1, max_size=4))
def test_exactly_the_bad_contacts_are_found_and_every_other_one_is_accepted_once(
    batch: tuple[int, set[int]], base: int, namings: list[str]
) -> None:
    count, bad = batch
    server = Server(bad, base, namings)
    end = run(server, count)
    assert set(end.bad) == bad
    assert everybody(end.accepted) == sorted(set(range(count)) - bad)


@settings(deadline=None)
@given(batches(), st.sampled_from([0, 1]), st.lists(st.sampled_from(sorted(NAMINGS)), min_size=1, max_size=4))
def test_in_the_worst_form_a_bad_contact_costs_at_most_twice_the_logarithm(
    batch: tuple[int, set[int]], base: int, namings: list[str]
) -> None:
    count, bad = batch
    server = Server(bad, base, namings)
    run(server, count)
    assert len(server.requests) - 1 <= len(bad) * 2 * math.log2(250)


@settings(deadline=None)
@given(batches(), st.integers(-3, 3))
def test_names_that_count_from_an_unknown_number_cost_no_good_contact(batch: tuple[int, set[int]], base: int) -> None:
    count, bad = batch
    end = run(Server(bad, base, ["all"]), count)
    assert set(end.bad) == bad


@pytest.mark.parametrize("bad_count", [1, 2, 3, 17, 125, 249, 250])
def test_when_all_are_named_a_bad_contact_costs_at_most_one_more_request(bad_count: int) -> None:
    server = Server(set(range(bad_count)), 1, ["all"])
    assert len(run(server, 250).bad) == bad_count
    assert len(server.requests) - 1 <= bad_count


@pytest.mark.parametrize("bad", [{0}, {249}, {7, 8}, {0, 249}, set(range(100, 125))])
def test_several_bad_contacts_that_are_named_together_cost_two_requests(bad: set[int]) -> None:
    server = Server(bad, 1, ["all"])
    run(server, 250)
    assert len(server.requests) - 1 <= 2
    assert all(len(request) > 1 for request in server.requests)


@pytest.mark.parametrize("bad", [{1}, {248}, {7, 8, 9}, {3, 60, 200}])
def test_counting_from_0_costs_one_request_more(bad: set[int]) -> None:
    from_0, from_1 = Server(bad, 0, ["all"]), Server(bad, 1, ["all"])
    run(from_0, 250)
    run(from_1, 250)
    assert len(from_0.requests) <= len(from_1.requests) + 1


@pytest.mark.parametrize("bad_count", [1, 2, 10, 100, 250])
@pytest.mark.parametrize("base", [0, 1])
def test_when_only_the_first_is_named_a_bad_contact_costs_two_requests(bad_count: int, base: int) -> None:
    server = Server(set(range(0, 250, 250 // bad_count)), base, ["the first"])
    bad = run(server, 250).bad
    assert len(server.requests) - 1 <= 2 * len(bad) + 10


def test_a_good_contact_that_is_named_beside_bad_ones_is_saved_when_it_is_not_named_again() -> None:
    answers: list[Verdict] = [[2, 3, 4], None]  # of five, 2 and 3 are bad; 4 is named as well, but only once
    assert search(range(5), answers).send == (1, 2, 3)
    assert search(range(5), [*answers, [1, 2]]).send == (3,)
    assert search(range(5), [*answers, [1, 2], None]).send == (1, 2)
    assert search(range(5), [*answers, [1, 2], None, [1, 2]]) == Search((), ((0, 4), (3,)), {1: 4, 2: 4})


def test_several_names_are_trusted_only_when_everybody_else_was_accepted() -> None:
    halved: list[Verdict] = [[], [1, 2], None]  # of eight; then of the first four; then without the first two
    assert search(range(8), halved).send == (0, 1)
    assert search(range(8), [*halved, [1, 2]]) == Search((0,), ((2, 3),), {})


@settings(deadline=None, max_examples=20)
@given(batches(), st.sampled_from([0, 1]), st.sampled_from(TRUE))
def test_replaying_the_verdicts_one_after_the_other_asks_the_same(
    batch: tuple[int, set[int]], base: int, naming: str
) -> None:
    count, bad = batch
    server = Server(bad, base, [naming])
    end = run(server, count)
    judge = Server(bad, base, [naming])
    verdicts = [judge.judge(request) for request in server.requests]
    assert [search(range(count), verdicts[:n]).send for n in range(len(verdicts))] == server.requests
    assert search(range(count), verdicts) == end


def test_a_part_of_a_batch_is_searched_like_a_whole_one() -> None:
    bad = {12, 40}
    positions = range(10, 60, 2)
    verdicts: list[Verdict] = []
    while (state := search(positions, verdicts)).send:
        places = [place + 1 for place, position in enumerate(state.send) if position in bad]
        verdicts.append(places or None)
    assert set(state.bad) == bad
    assert everybody(state.accepted) == sorted(set(positions) - bad)


def test_a_bad_contact_is_traced_to_the_verdict_that_refused_it() -> None:
    end = search(range(4), [[3], None])
    assert end == Search((), ((0, 1, 3),), {2: 0})


def test_what_is_asked_does_not_change_as_recorded_verdicts_are_replayed_by_later_releases() -> None:
    asked = hashlib.sha256()
    for naming in NAMINGS:
        for base in (0, 1):
            for bad in ({0}, {3, 4, 99}, set(range(0, 250, 40)), set(range(60, 70))):
                server = Server(bad, base, [naming])
                run(server, 250)
                asked.update(repr(server.requests).encode())
    assert asked.hexdigest() == "595c8b2afbafd25c261349c42a54d26ec0f95fd7eb1b4319c618ad8d473d3081"


def test_nothing_sent_yet_means_to_send_everybody() -> None:
    assert search(range(3), []) == Search((0, 1, 2), (), {})


def test_nobody_to_send_is_the_end() -> None:
    assert search((), []) == Search((), (), {})


def test_an_accepted_request_after_contradictions_ends_the_search_without_blame() -> None:
    assert search(range(4), [[2, 3], None, None]) == Search((), ((0, 3), (1, 2)), {})


def test_several_names_cost_two_of_the_four_requests_that_names_are_trusted_for() -> None:
    verdicts: list[Verdict] = [[1, 2, 3], None, [1], [1]]
    sends = [search(range(10), verdicts[:count]).send for count in range(5)]
    assert sends == [tuple(range(10)), tuple(range(3, 10)), (0, 1, 2), (1, 2), (2,)]
    assert search(range(10), [*verdicts, [1]]).send == (0,)


def test_each_name_that_proves_right_is_worth_one_more_request() -> None:
    """All thirty are bad and the first is named each time: four names, then those four alone, then eight names ..."""
    verdicts: list[Verdict] = []
    sizes = []
    while send := search(range(30), verdicts).send:
        sizes.append(len(send))
        verdicts.append([1])
    assert sizes[:9] == [30, 29, 28, 27, 26, 1, 1, 1, 1]
    assert sizes[9:27] == [26, 25, 24, 23, 22, 21, 20, 19, 18, 1, 1, 1, 1, 1, 1, 1, 1, 18]


# --- a bounded number of contacts is sent alone, and causes that all share are found ---


@settings(deadline=None)
@given(
    batches(),
    st.sampled_from([0, 1]),
    st.lists(st.sampled_from(sorted(NAMINGS)), min_size=1, max_size=4),
    st.integers(0, SINGLES_A_BATCH),
)
def test_nobody_is_lost_or_blamed_wrongly_however_few_may_be_sent_alone(
    batch: tuple[int, set[int]], base: int, namings: list[str], alone: int
) -> None:
    count, bad = batch
    server = Server(bad, base, namings)
    end = run(server, count, alone)
    assert sorted([*everybody(end.accepted), *end.bad, *end.left]) == list(range(count))
    assert set(end.bad) <= bad
    assert singles(server) <= alone
    assert not bad & set(everybody(end.accepted))


@settings(deadline=None)
@given(batches(), st.sampled_from([0, 1]), st.lists(st.sampled_from(sorted(NAMINGS)), min_size=1, max_size=4))
def test_with_enough_left_to_send_alone_exactly_the_bad_are_found(
    batch: tuple[int, set[int]], base: int, namings: list[str]
) -> None:
    count, bad = batch
    end = run(Server(bad, base, namings), count, 1_000)
    if not end.common:
        assert set(end.bad) == bad
        assert end.left == ()


@pytest.mark.parametrize("naming", sorted(NAMINGS))
@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("count", [FEWEST + 5, 250])
def test_a_cause_that_all_share_is_found_whatever_is_named(naming: str, base: int, count: int) -> None:
    server = Server(set(range(count)), base, [naming])
    end = run(server, count, SINGLES_A_BATCH)
    assert end.common
    assert len(server.requests) <= 20
    assert singles(server) <= 3 * PROBES + 1
    assert not end.accepted


@pytest.mark.parametrize("naming", ["all", "everybody"])
def test_where_most_are_named_three_of_them_are_sent_alone_first(naming: str) -> None:
    server = Server(set(range(250)), 1, [naming])
    end = run(server, 250, SINGLES_A_BATCH)
    assert server.requests[1:] == [(0,), (124,), (249,)]
    assert (set(end.bad), len(end.left)) == ({0, 124, 249}, 247)


@pytest.mark.parametrize("count", [FEWEST - 1, FEWEST])
def test_a_small_request_is_searched_contact_by_contact(count: int) -> None:
    end = run(Server(set(range(count)), 1, ["all"]), count, SINGLES_A_BATCH)
    assert end.common == (count >= FEWEST)
    assert len(end.bad) == (PROBES if end.common else count)


def test_half_of_a_request_is_not_most_of_it() -> None:
    half = Server(set(range(125)), 1, ["all"])
    assert len(run(half, 250, SINGLES_A_BATCH).bad) == 125
    assert singles(half) == 0
    assert run(Server(set(range(126)), 1, ["all"]), 250, SINGLES_A_BATCH).common


def test_names_of_good_contacts_are_no_common_cause() -> None:
    server = Server({17}, 1, ["everybody"])
    end = run(server, 250, SINGLES_A_BATCH)
    assert (end.common, set(end.bad), end.left) == (False, {17}, ())


def test_without_any_left_to_send_alone_the_few_around_a_bad_contact_are_set_aside() -> None:
    end = run(Server({17}, 1, ["none"]), 250, 0)
    assert 17 in end.left
    assert len(end.left) <= 3
    assert end.bad == {}


def test_after_the_first_bad_contact_somebody_who_was_accepted_rules_a_common_cause_out() -> None:
    server = Server({0}, 1, ["the first"])
    end = run(server, 250, SINGLES_A_BATCH)
    assert (end.common, singles(server)) == (False, 0)


def test_what_is_asked_under_the_bounds_does_not_change_either() -> None:
    asked = hashlib.sha256()
    for naming in NAMINGS:
        for base in (0, 1):
            for bad in ({0}, {3, 4, 99}, set(range(0, 250, 40)), set(range(60, 70)), set(range(250)), set(range(200))):
                for alone in (0, 5, SINGLES_A_BATCH):
                    server = Server(bad, base, [naming])
                    run(server, 250, alone)
                    asked.update(repr(server.requests).encode())
    assert asked.hexdigest() == "1d9624173fb04197600e7c01e667442c2ce3cb767695773c7a77c9d2ebab3244"


def test_the_bounds_are_those_that_the_documentation_says() -> None:
    assert (FEWEST, PROBES, SINGLES_A_BATCH, SINGLES_A_LANE) == (10, 3, 20, 40)


@pytest.mark.parametrize("alone", [0, 3, SINGLES_A_BATCH])
@pytest.mark.parametrize("naming", ["all", "none", "the first"])
def test_replaying_the_verdicts_keeps_the_bounds(naming: str, alone: int) -> None:
    bad = {1, 4, 5, 9, 30}
    server = Server(bad, 1, [naming])
    end = run(server, 40, alone)
    judge = Server(bad, 1, [naming])
    verdicts = [judge.judge(request) for request in server.requests]
    assert [search(range(40), verdicts[:n], alone).send for n in range(len(verdicts))] == server.requests
    assert search(range(40), verdicts, alone) == end


@pytest.mark.parametrize("naming", sorted(NAMINGS))
@pytest.mark.parametrize("alone", [0, 1, 2])
def test_of_every_small_batch_everybody_has_one_end(naming: str, alone: int) -> None:
    for count in range(1, 8):
        for picked in range(2**count):
            bad = {position for position in range(count) if picked >> position & 1}
            end = run(Server(bad, 1, [naming]), count, alone)
            assert sorted([*everybody(end.accepted), *end.bad, *end.left]) == list(range(count))
            assert set(end.bad) <= bad


def test_a_batch_of_one_contact_is_sent_whatever_may_be_sent_alone() -> None:
    assert search((5,), [], 0).send == (5,)
    assert search((5,), [[1]], 0).bad == {5: 0}
