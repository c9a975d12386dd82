"""Mixed load while processes are killed, the clock steps and the disk fills."""
