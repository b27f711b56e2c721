"""One code, many at the same moment: one of them gets in. With the race it would be without the lock."""

import threading

import pytest
from django_otp.plugins.otp_static.models import StaticDevice

from accounts import second_factor
from accounts.models import User
from tests.support.processes import PATIENCE
from tests.support.races import at_once, none_failed
from tests.support.second_factors import app_code

pytestmark = [pytest.mark.django_db(transaction=True)]

THREADS = 8


@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_of_many_uses_of_one_code_one_succeeds(root: User, kind: str) -> None:
    _, codes = second_factor.enroll(root)
    code = app_code(root) if kind == "app" else codes[0]
    proved = none_failed(at_once(THREADS, lambda _: second_factor.prove(root, code) is not None))
    assert proved.count(True) == 1


def test_the_control_without_the_lock_several_do(root: User) -> None:
    _, codes = second_factor.enroll(root)
    looked = threading.Barrier(THREADS)

    def look_then_spend(_: int) -> bool:
        found = StaticDevice.objects.get(user=root).token_set.filter(token=codes[0]).first()
        looked.wait(PATIENCE)
        if found is not None:
            found.delete()
        return found is not None

    assert at_once(THREADS, look_then_spend) == [True] * THREADS
