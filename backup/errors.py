"""The error of backups and restores."""


class BackupError(Exception):
    """A backup or restore failed. The text says what is wrong and what to do; it never holds a URI or a password."""
