"""The `parley` command: runs, demonstrates, checks and administers a stack."""
