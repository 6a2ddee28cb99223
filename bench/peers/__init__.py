"""The peers that Parley is compared with in the same run, written fairly and as their users write them."""
