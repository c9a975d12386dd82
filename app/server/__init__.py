"""Gunicorn with uvicorn workers: processes, connections and the HTTP protocol."""
