"""The subcommands of `tmf683`, one module per group: thin layers over what the server uses."""
