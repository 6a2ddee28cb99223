"""What keeps a backup or a restore from being made, as a sentence for whoever asked for it."""


class BackupError(Exception):
    """A sentence that says what is wrong and what to do. Holds no address, for an address may hold a password."""
