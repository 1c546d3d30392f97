"""What a delivery is worth: whose it is, what it says, whether it is genuine, what follows.

Pure code: no HTTP, no database. ``judge`` is the whole of it in one call.
"""
