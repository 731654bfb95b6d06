"""The resource as people write it: the one source of the CRD, the chart's copy of it and docs/api.md."""
