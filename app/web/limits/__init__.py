"""Limits: how much one client, or all clients together, may use of a server."""
