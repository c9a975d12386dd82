"""The console: what operators see of the server and do about its events."""
