"""Handlers: one function for each kind of operation, from a request to a response.

Handlers know the storage port and the definition of the resource they serve. They raise the
exceptions of `app.tmf630.errors` (and let the store's pass); turning those into HTTP is not theirs.
"""
