"""Left of the inbox: whatever a stranger can reach. No Docker, no git, no keys of repositories.

``server`` runs it, ``app`` wires it, ``hooks`` takes a delivery, ``inbox`` puts it on disk.
"""
