"""Observing: what the server tells those who run it, in logs, metrics, health checks and traces."""
