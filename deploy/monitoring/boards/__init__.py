"""The dashboards, one module each."""

from __future__ import annotations

from typing import Final

from deploy.monitoring.boards.chat import CHAT
from deploy.monitoring.boards.gateway import GATEWAY
from deploy.monitoring.boards.overview import OVERVIEW
from deploy.monitoring.boards.people import PEOPLE
from deploy.monitoring.boards.stores import STORES

DASHBOARDS: Final = (OVERVIEW, GATEWAY, CHAT, PEOPLE, STORES)
