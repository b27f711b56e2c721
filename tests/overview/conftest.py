from tests.overview.past import forget

__all__ = ["forget"]
