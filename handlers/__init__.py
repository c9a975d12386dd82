"""Handlers: one function for each kind of operation, from a request to a response.

Handlers know the storage port and the definition of the resource they serve. They raise the
exceptions of `app.tmf630.errors`, and those of the store pass through: `app.web.errors` maps both
to HTTP.
"""
