"""The live server's fixtures."""

from tests.system.live.conftest import fleet, live

__all__ = ["fleet", "live"]
