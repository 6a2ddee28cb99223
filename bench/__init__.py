"""How much Parley carries: scenarios against the whole stack, with peers in the same run. Start with `make bench`."""
