"""Transcriptions that outlive the request that asked for them: kept, queued, worked off under a lease, told about."""
