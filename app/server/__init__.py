"""Gunicorn with uvicorn workers: processes, the HTTP protocol, executors and group commit."""
