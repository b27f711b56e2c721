"""Group commit of single awards: requests that meet are one statement, of any keys, and each hears its own outcome."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from accounts import api_keys
from accounts.models import ApiKey
from accounts.players import Description
from actions import awards
from actions.awards import Entry
from actions.models import Award
from leaderboard.boards import Board
from scoreboard.models import ScoreHistory, UserScore
from tests.support.agreement import assert_agreement
from tests.support.groups import Held, in_groups
from tests.support.processes import PATIENCE, eventually

pytestmark = pytest.mark.usefixtures("unlimited")


@pytest.fixture
def held(board: Board, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    with in_groups(awards, monkeypatch) as held:
        yield held


@pytest.fixture
def site(transactional_db: None) -> ApiKey:
    return api_keys.issue("site", ["award"], limit="off")[0]


def together(held: Held, wanted: Sequence[tuple[ApiKey, Entry]]) -> list[BaseException | None]:
    """Awards all at one moment, each in a thread of its own, behind one that is under way."""

    def one(key: ApiKey, entry: Entry) -> None:
        try:
            awards.record(key, [entry])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(wanted) + 1) as pool:
        first = pool.submit(one, wanted[0][0], entry("ahead", "somebody"))
        eventually(lambda: held.sizes, "the first is being awarded")
        running = [pool.submit(one, *each) for each in wanted]
        eventually(lambda: len(held.batcher.waiting) == len(wanted), "the others are one group")
        held.released.set()
        first.result(PATIENCE)
        return [each.exception(PATIENCE) for each in running]


def entry(deed: str, player: str, **more: object) -> Entry:
    return Entry(id=deed, player=player, action_type="COMPLETE_TASK", **more)  # type: ignore[arg-type]


def test_awards_of_several_keys_are_one_statement_and_each_is_its_own_sites(
    held: Held, board: Board, site: ApiKey
) -> None:
    shop, _ = api_keys.issue("shop", ["award"], provider="shop", limit="off")
    bound, _ = api_keys.issue("bound", ["award"], action_types=["WIN_MATCH"], limit="off")
    wanted = [
        (site, entry("1", "42", request_id="request-of-site", description=Description(name="Alex"))),
        (shop, entry("1", "42", request_id="request-of-shop", description=Description(name="Sam"))),
        (bound, entry("2", "42")),
        (site, entry("3", "43")),
    ]
    assert together(held, wanted) == [None] * 4
    assert held.sizes == [1, 4]
    told = [one for _, one in wanted]
    assert [one.new_score for one in told] == [10, 10, None, 10]
    assert told[0].user_id != told[1].user_id
    assert getattr(told[2].refusal, "kind", "") == "forbidden"
    assert all(one.rank for one in told if not one.refusal)
    rows = {award.action_id: (award.provider, award.issued_by) for award in Award.objects.exclude(external_id="ahead")}
    assert sorted(rows.values(), key=str) == sorted([("site", site.pk)] * 2 + [("shop", shop.pk)], key=str)
    named = {row.request_id: row.user.display_name for row in ScoreHistory.objects.exclude(request_id="")}
    assert named | {"request-of-site": "Alex", "request-of-shop": "Sam"} == named
    assert_agreement(board)


def test_one_deed_in_every_request_of_a_group_is_paid_once(held: Held, site: ApiKey) -> None:
    wanted = [(site, entry("1", "42")) for _ in range(32)]
    assert together(held, wanted) == [None] * 32
    assert sorted(one.replayed for _, one in wanted) == [False] + [True] * 31
    assert {(one.new_score, one.score_delta) for _, one in wanted} == {(10, 10)}
    assert sorted(UserScore.objects.values_list("total", flat=True)) == [10, 10]


def test_one_that_breaks_the_statement_does_not_fail_the_others(held: Held, site: ApiKey) -> None:
    wanted = [(site, entry("1", "42")), (site, entry("no\0text", "43")), (site, entry("3", "44"))]
    good, broken, also_good = together(held, wanted)
    assert (good, also_good) == (None, None)
    assert broken is not None
    assert [one.new_score for _, one in wanted] == [10, None, 10]
    assert held.sizes == [1, 3, 1, 1, 1]
    assert ScoreHistory.objects.count() == 3


def test_a_batch_is_a_group_already(held: Held, site: ApiKey) -> None:
    awards.record(site, [entry("1", "42"), entry("2", "43")])
    assert held.sizes == []
    assert ScoreHistory.objects.count() == 2
