"""Events received from other systems, and the copies they change."""
