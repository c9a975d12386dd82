"""The server: contract engine, TMF630 rules, events, web stack, settings and command line."""

import warnings

# connexion imports starlette's test client, which then speaks of its own dependencies.
warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")
