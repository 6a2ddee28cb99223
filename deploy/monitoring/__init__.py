"""What operators see: alert rules and dashboards, and the pages of reference that are made from the programs.

`python -m deploy.monitoring` says what it makes. Nothing here is imported by what runs.
"""
