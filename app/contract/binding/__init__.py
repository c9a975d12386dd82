"""What the server takes from a contract: operations, resources, events, security."""
