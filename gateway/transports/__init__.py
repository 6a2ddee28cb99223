"""Bytes on sockets: what browsers connect by. Knows no front-end's vocabulary."""
