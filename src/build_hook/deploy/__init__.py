"""Right of the inbox: from a queued build to a version that serves.

``worker`` decides which build is next, ``pipeline`` is the way of one, ``cycle`` the swap.
"""
