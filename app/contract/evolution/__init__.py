"""From one version of an API to the next: differences, mappings, views of stored documents."""
