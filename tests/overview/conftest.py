from tests.events.conftest import receiver, webhook
from tests.overview.past import forget

__all__ = ["forget", "receiver", "webhook"]
