"""Identity: authentication by bearer token or API key, and the access that it grants."""
