"""Tests of the web app and its client against the whole stack: `make test-web`."""
