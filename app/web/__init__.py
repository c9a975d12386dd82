"""The way of a request from the connection to its handler, and of the answer back.

In the order in which a request meets them: `connections` (uvicorn's HTTP protocol, with bounds;
`answering` sends what comes back), `middleware` (connexion's, with ours among it; `errors` is where
exceptions become HTTP), `routing`, `validation` (with `body`), `bridge` (into Flask, whose own
routing `routed` spares; writes go by way of `group_commit`). `address` says how clients reach the
server, `pages` are what is served beside the contracts' operations.
"""

# `framework` imports connexion, and so comes before all others.
from app.web import framework as framework
