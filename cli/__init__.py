"""The `parley` command: starts the stack on one machine, shows it at work, checks it, and administers it."""
