"""The helpdesk front-end: a JSON vocabulary over WebSocket."""
