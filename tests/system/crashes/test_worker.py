"""The worker killed in the middle of what it does."""

from tests.support.processes import eventually
from tests.system.crashes.load import Load
from tests.system.crashes.proof import prove
from tests.system.crashes.site import Site

HOLD = "SELECT 1 FROM user_scores WHERE user_id = %s FOR UPDATE"
QUEUED = "SELECT id FROM queued_work WHERE state = 'queued' AND user_id = %s"


def test_the_worker_may_be_killed_while_it_pays(site: Site, running: Load) -> None:
    """It waits for a row that the test holds, with the work locked and nothing committed."""
    running.score_once()
    held = running.witness.user_id
    with site.database() as session:
        session.execute("BEGIN")
        session.execute(HOLD, [held])
        running.queue_once()
        # A message that did not reach the broker is sent again after a minute, by a task of every half minute.
        eventually(lambda: paying(site, held), "the worker is at it")
        worker = site.running["worker"]
        site.kill("worker")
        session.execute("COMMIT")
    assert worker.poll() is not None
    running.goes_on()
    site.start("worker")
    running.goes_on()
    prove(running)


def paying(site: Site, player: str) -> bool:
    """Whether a transaction has locked queued work of the player: only then does SKIP LOCKED pass it over."""
    site.supervise()
    with site.database() as session:
        every = session.execute(QUEUED, [player]).fetchall()
        return len(session.execute(f"{QUEUED} FOR UPDATE SKIP LOCKED", [player]).fetchall()) < len(every)
