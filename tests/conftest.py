"""For all tests: a busy machine must not fail a property by its slowness."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("orch", deadline=None)
settings.load_profile("orch")
