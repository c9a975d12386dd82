"""The web stack: from an ASGI request to its handler, and back to a response.

A request passes `middleware` (connexion's and ours; `errors` maps exceptions to HTTP), `routing`,
`security`, `request_validation` (with `body`) and `bridge`, which calls the handler or Flask.
"""
