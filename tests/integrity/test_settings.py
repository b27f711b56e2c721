"""The thresholds of the watch come from the environment, and those that make no sense are refused."""

import os
import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest
from django.conf import settings as site

from config.celery import app
from integrity import checks
from integrity.findings import Thresholds


def test_every_threshold_is_a_setting() -> None:
    thresholds = Thresholds.from_settings()
    assert {field.name: getattr(thresholds, field.name) for field in fields(thresholds)}.items() <= site.WATCH.items()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("actions_per_minute", -1),
        ("regular_run", 3),
        ("regular_cv", 0.9),
        ("regular_long_run", 20),
        ("regular_long_cv", 0.9),
        ("instant_run", 1),
        ("instant_seconds", -1),
        ("tireless_hours", 25),
        ("outlier_z", 0.5),
        ("outlier_players", 2),
        ("address_accounts", 1),
        ("address_crowd", 2),
        ("address_days", 400),
        ("bonus_share", 0),
        ("bonus_times", 1),
        ("bonus_days", 0),
        ("hours", 0),
        ("players_per_run", 0),
    ],
)
def test_thresholds_that_make_no_sense_are_refused_by_name(settings: Any, name: str, value: float) -> None:
    assert checks.watching(None) == []
    settings.WATCH = {**settings.WATCH, name: value}
    [error] = checks.watching(None)
    assert error.msg.startswith(f"WATCH_{name.upper()} is {value}; expected")


@pytest.mark.parametrize("name", ["instant_run", "outlier_z", "address_crowd", "bonus_points", "bonus_times"])
def test_zero_turns_off_and_is_no_mistake(settings: Any, name: str) -> None:
    settings.WATCH = {**settings.WATCH, name: 0}
    assert checks.watching(None) == []


def test_they_are_read_from_the_environment() -> None:
    code = "from config.settings import WATCH; print(WATCH['regular_cv'], WATCH['points_per_minute'])"
    environment = {**os.environ, "WATCH_REGULAR_CV": "0.2", "WATCH_POINTS_PER_MINUTE": "WIN_MATCH=200,QUIZ=60"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "0.2 {'WIN_MATCH': 200, 'QUIZ': 60}"


@pytest.mark.filterwarnings("ignore::celery.exceptions.CDeprecationWarning")
def test_beat_runs_the_watch_and_the_purge() -> None:
    app.loader.import_default_modules()
    planned = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert {"integrity.tasks.scan", "accounts.tasks.purge_sign_up_addresses"} <= planned
    assert planned <= set(app.tasks)
