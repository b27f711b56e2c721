"""The queue of redemptions and where its messages go when every retry has failed.

RabbitMQ moves a rejected message to the queue named here; it does not make that queue, and drops the message silently
when it is missing. So a process that publishes declares both. On Redis there is no such thing: there the row in
`queued_work`, which is marked dead in either case and is what admin shows and replays, is all.
"""

from django.conf import settings
from kombu import Connection, Queue

REDEMPTIONS = f"{settings.QUEUE_PREFIX}redemptions"
DEAD = f"{settings.QUEUE_PREFIX}redemptions.dead"

DEAD_QUEUE = Queue(DEAD, durable=True)
# In every process alike: the first that publishes declares the queue, and two different declarations would collide.
QUEUES = (
    Queue(settings.CELERY_TASK_DEFAULT_QUEUE, routing_key=settings.CELERY_TASK_DEFAULT_QUEUE),
    Queue(
        REDEMPTIONS,
        routing_key=REDEMPTIONS,
        durable=True,
        queue_arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": DEAD},
    ),
)


def needed(connection: Connection) -> list[Queue]:
    """What has to be there before a redemption is published."""
    return [DEAD_QUEUE, QUEUES[1]] if connection.transport.driver_type == "amqp" else [QUEUES[1]]
