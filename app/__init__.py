"""The server around the handlers: contract, web stack, settings and command line."""
