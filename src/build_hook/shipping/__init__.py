"""Log lines on their way to Loki: from the journal and from builds' logs, lost by no restart.

``journal`` and ``buildlogs`` are where lines come from, ``loki`` is where they go, ``shipper``
remembers how far it is.
"""
