"""Opus recordings that are still being made, as browsers make them: read as they come, however they are cut."""
