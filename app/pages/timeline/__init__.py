"""The timeline: what a party went through, read and written through the API."""
