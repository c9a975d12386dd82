"""Pages and documents beside the API: entry points, contracts, Swagger UI."""
