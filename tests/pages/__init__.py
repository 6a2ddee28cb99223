"""Tests of the gateway's pages in Chromium; run by `make test-pages`."""
