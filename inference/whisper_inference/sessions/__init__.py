"""What outlives a request and must be seen by every replica: kept in Redis, or in memory for one process."""
