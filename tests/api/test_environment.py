"""Settings are read as they are meant, or refused by name."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from api import environment


@pytest.mark.parametrize(
    ("text", "expected"),
    [("TRUE", True), ("on", True), (" yes ", True), ("1", True), ("Off", False), ("n", False), ("0", False)],
)
def test_a_flag_is_a_word(monkeypatch: pytest.MonkeyPatch, text: str, expected: bool) -> None:
    monkeypatch.setenv("HTTPS", text)
    assert environment.flag("HTTPS", not expected) is expected


@pytest.mark.parametrize("default", [True, False])
def test_an_empty_flag_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch, default: bool) -> None:
    monkeypatch.delenv("HTTPS", raising=False)
    assert environment.flag("HTTPS", default) is default
    monkeypatch.setenv("HTTPS", "")
    assert environment.flag("HTTPS", default) is default


@pytest.mark.parametrize("text", ["ture", "enable", "2", "-"])
def test_a_flag_that_is_neither_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("HTTPS", text)
    with pytest.raises(ImproperlyConfigured, match=f"^HTTPS is '{text}'; expected true or false"):
        environment.flag("HTTPS", False)


@pytest.mark.parametrize("text", ["1e3 s", "5 minutes", "0.5s", "1,5", "nan", "inf", "many"])
def test_a_number_is_not_what_is_left_of_a_text(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("REDIS_TIMEOUT", text)
    with pytest.raises(ImproperlyConfigured, match=r"^REDIS_TIMEOUT is .* expected a number"):
        environment.number("REDIS_TIMEOUT", 0.5)


def test_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBER", "1e3")
    assert environment.number("NUMBER", 0.5) == 1000
    monkeypatch.setenv("NUMBER", "")
    assert (environment.number("NUMBER", 0.5), environment.whole("NUMBER", 7)) == (0.5, 7)
    monkeypatch.setenv("NUMBER", "1, 4 ,9.5")
    assert environment.numbers("NUMBER", []) == [1, 4, 9.5]
    with pytest.raises(ImproperlyConfigured, match=r"^NUMBER is '1, 4 ,9.5'; expected a whole number.$"):
        environment.whole("NUMBER", 7)


def test_a_choice_is_one_of_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_FORMAT", "consle")
    with pytest.raises(ImproperlyConfigured, match=r"^LOG_FORMAT is 'consle'; expected json or console.$"):
        environment.choice("LOG_FORMAT", "json", ["json", "console"])
    monkeypatch.setenv("LOG_FORMAT", "")
    assert environment.choice("LOG_FORMAT", "json", ["json", "console"]) == "json"


def test_spaces_beside_commas_belong_to_no_item(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "a.example.org, b.example.org,")
    assert environment.items("ALLOWED_HOSTS", ["localhost"]) == ["a.example.org", "b.example.org"]
    monkeypatch.setenv("ALLOWED_HOSTS", "")
    assert environment.items("ALLOWED_HOSTS", ["localhost"]) == []


def test_amounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCH_POINTS_PER_MINUTE", "WIN=200, QUIZ=60")
    assert environment.amounts("WATCH_POINTS_PER_MINUTE") == {"WIN": 200, "QUIZ": 60}
    monkeypatch.setenv("WATCH_POINTS_PER_MINUTE", "WIN")
    with pytest.raises(ImproperlyConfigured, match=r"^WATCH_POINTS_PER_MINUTE is 'WIN'"):
        environment.amounts("WATCH_POINTS_PER_MINUTE")
