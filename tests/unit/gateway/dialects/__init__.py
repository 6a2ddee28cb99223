"""What front-ends send and receive, without sockets and services."""
