"""Limits: how much one client, or all of them at once, may ask of a server."""
