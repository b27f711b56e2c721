"""Each moment belongs to one period of a board, whatever clocks do in its zone: against a plain search in Python."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoreboard.models import Board as Rule
from tests.support.boards import Window, window_at

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)

# Where clocks do something else than at two in the morning, and when: no midnight, two of them, a minute past it, by
# half an hour, by two, a day that never was, offsets of quarters.
ODD = {
    "America/Sao_Paulo": ["2017-10-15", "2018-02-18"],
    "Pacific/Apia": ["2011-12-30", "2011-12-31", "2012-04-01"],
    "Africa/Cairo": ["2024-04-26", "2024-11-01", "2025-04-25", "2025-10-31"],
    "America/Havana": ["2025-03-09", "2025-11-02"],
    "Atlantic/Azores": ["2026-03-29", "2026-10-25"],
    "America/St_Johns": ["2010-03-14", "2010-11-07"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04"],
    "Antarctica/Troll": ["2025-03-30", "2025-10-26"],
    "Asia/Kathmandu": ["1986-01-01", "2026-01-01"],
    "Pacific/Kiritimati": ["1995-01-01", "2026-12-31"],
    "Europe/Paris": ["2026-03-29", "2026-10-25"],
    "America/New_York": ["2026-03-08", "2026-11-01"],
    "Pacific/Auckland": ["2026-04-05", "2026-09-27"],
    "UTC": ["2020-02-29", "2026-12-31"],
}
WINDOWS = ["all", "daily", "weekly", "monthly", "yearly", "days"]


@cache
def begins(day: date, zone: str) -> datetime:
    """The first minute on which a clock there shows this day or a later one."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=16)
    while at.astimezone(ZoneInfo(zone)).date() < day:
        at += MINUTE
    return at


def expected(rule: Rule, at: datetime) -> Window | None:
    """The period that holds this moment, searched for day by day."""
    if (rule.opens_at and at < rule.opens_at) or (rule.closes_at and at >= rule.closes_at):
        return None
    if rule.window in ("all", "fixed"):
        return Window("all", rule.opens_at, rule.closes_at)
    day = at.astimezone(ZoneInfo(rule.zone)).date() - DAY
    while begins(day + DAY, rule.zone) <= at:
        day += DAY
    first, following, key = days_around(rule, day)
    starts, ends = begins(first, rule.zone), begins(following, rule.zone)
    return Window(
        key,
        max(starts, rule.opens_at) if rule.opens_at else starts,
        min(ends, rule.closes_at) if rule.closes_at else ends,
    )


def days_around(rule: Rule, day: date) -> tuple[date, date, str]:
    """(the period's first day, that of the next, the key)."""
    if rule.window == "daily":
        return day, day + DAY, day.isoformat()
    if rule.window == "weekly":
        year, week, weekday = day.isocalendar()
        monday = day - (weekday - 1) * DAY
        return monday, monday + 7 * DAY, f"{year}-W{week:02}"
    if rule.window == "monthly":
        first = day.replace(day=1)
        return first, (first + 31 * DAY).replace(day=1), f"{day:%Y-%m}"
    if rule.window == "yearly":
        return date(day.year, 1, 1), date(day.year + 1, 1, 1), f"{day.year}"
    assert rule.every_days
    assert rule.starts_on
    first = day
    while (first - rule.starts_on).days % rule.every_days:
        first -= DAY
    return first, first + rule.every_days * DAY, first.isoformat()


def rule_of(window: str, zone: str, **more: object) -> Rule:
    """Not paused, as a row that triggers have opened no period of: only the function is asked."""
    return Rule(slug="some", title="Some", window=window, zone=zone, paused=True, **more)


@pytest.mark.parametrize("zone", ODD)
def test_periods_touch_and_each_moment_is_in_the_one_that_a_plain_search_finds(db: None, zone: str) -> None:
    """Every ten minutes around the odd days, and the last and the first microsecond around each end."""
    for window in WINDOWS:
        rule = rule_of(window, zone, every_days=3, starts_on=date(2020, 1, 7))
        rule.save()
        assert_all_found(rule, zone)
        rule.delete()


def assert_all_found(rule: Rule, zone: str) -> None:
    moments: set[datetime] = set()
    for text in ODD[zone]:
        middle = datetime.fromisoformat(text).replace(tzinfo=UTC)
        moments |= {middle + timedelta(minutes=10 * step) for step in range(-6 * 40, 6 * 40)}
        for near in (middle - DAY, middle, middle + DAY):
            found = expected(rule, near)
            assert found
            moments |= {
                end + timedelta(microseconds=by) for end in (found.starts_at, found.ends_at) if end for by in (-1, 0)
            }
    asked = sorted(moments)
    windows = window_at(rule, asked)
    assert windows == [expected(rule, at) for at in asked]
    for at, found in zip(asked, windows, strict=True):
        assert found
        assert found.starts_at is None or found.starts_at <= at
        assert found.ends_at is None or at < found.ends_at


def test_a_day_on_which_clocks_change_has_23_or_25_hours(db: None) -> None:
    rule = rule_of("daily", "Europe/Paris")
    rule.save()
    noons = [datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC)]
    hours = [(found.ends_at - found.starts_at) / timedelta(hours=1) for found in window_at(rule, noons)]  # type: ignore
    assert hours == [23, 25]


def test_weeks_over_new_year_have_iso_s_numbers(db: None) -> None:
    rule = rule_of("weekly", "UTC")
    rule.save()
    days = [datetime(2020, 12, 31, tzinfo=UTC), datetime(2021, 1, 3, 23, tzinfo=UTC), datetime(2021, 1, 4, tzinfo=UTC)]
    days += [datetime(2024, 12, 30, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)]
    assert [found and found.key for found in window_at(rule, days)] == [
        *("2020-W53", "2020-W53", "2021-W01"),
        *("2025-W01", "2026-W53"),
    ]


INSTANTS = st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_rule_at_any_moment(db: None, data: st.DataObject) -> None:
    """Opening and closing cut periods, and some days are counted back from a day to come as well."""
    opens, closes = sorted(data.draw(st.lists(INSTANTS, min_size=2, max_size=2, unique=True)))
    rule = rule_of(
        data.draw(st.sampled_from([*WINDOWS, "fixed"])),
        data.draw(st.sampled_from(sorted(ODD))),
        every_days=data.draw(st.integers(1, 40)),
        starts_on=data.draw(st.dates(date(2009, 1, 1), date(2031, 1, 1))),
    )
    cut = data.draw(st.sampled_from(["both", "opens", "closes", "none"])) if rule.window != "fixed" else "both"
    rule.opens_at = opens if cut in ("both", "opens") else None
    rule.closes_at = closes if cut in ("both", "closes") else None
    rule.save()
    moments = [opens, closes, closes - MINUTE, data.draw(INSTANTS), data.draw(INSTANTS)]
    try:
        assert window_at(rule, moments) == [expected(rule, at) for at in moments]
    finally:
        rule.delete()


@pytest.mark.parametrize("zone", ["localtime", "EST5EDT4,M3.2.0,M11.1.0", "Europe/Nowhere", "", "+02"])
def test_a_zone_that_python_or_postgresql_lacks_is_refused_with_a_sentence(db: None, zone: str) -> None:
    with pytest.raises(ValidationError) as refused:
        rule_of("daily", zone).full_clean()
    assert set(refused.value.message_dict) == {"zone"}


def test_a_zone_that_both_know_is_taken(db: None) -> None:
    rule_of("daily", "Asia/Kathmandu").full_clean()
