"""Identity: who calls, proved by a token or an API key, and which operations that opens."""
