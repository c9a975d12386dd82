"""Pages for people: timeline, explorer, console, documentation, sign-in, Swagger UI."""
