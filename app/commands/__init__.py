"""The subcommands of `tmf683`, a module a theme: each a thin layer over what the server uses."""
