"""The tests. Their helpers say what they compared, as test modules do."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite(
    *(f"tests.{folder.name}" for folder in Path(__file__).parent.iterdir() if folder.is_dir())
)
