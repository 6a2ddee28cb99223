"""What front-ends send and what they are told, without a socket and without services."""
