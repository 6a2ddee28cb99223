"""Auth's documents in MongoDB. Only the modules of this package import pymongo.

Every write is acknowledged by a majority, journaled. Each method raises UnavailableError (STORE_UNAVAILABLE) while
MongoDB can't be reached.
"""
