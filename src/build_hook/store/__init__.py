"""What must survive a crash: deliveries and builds, in one SQLite file.

WAL, ``synchronous=FULL``: a commit that returned is on disk. Web writes deliveries and the
builds they ask for in one transaction; the worker writes the phases. See docs/adr.
"""
