"""The live server's fixtures."""

from tests.live.conftest import fleet, live

__all__ = ["fleet", "live"]
