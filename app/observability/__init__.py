"""Observability: logs, metrics, traces and the data behind health checks."""
