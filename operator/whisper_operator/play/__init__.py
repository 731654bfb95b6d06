"""The pods of one manifest as local processes, for a machine without a cluster."""
