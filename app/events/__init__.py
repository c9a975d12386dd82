"""Events: delivered to the listeners of our hubs, and received from other systems."""
