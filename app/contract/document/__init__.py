"""A contract document: read, repaired, validated and normalised to OpenAPI 3."""
