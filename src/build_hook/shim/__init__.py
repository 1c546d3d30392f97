"""What stands in for ``docker`` and for 2015's ``build-hook.py`` while a project's scripts run.

The scripts stay as they are; what they start is made a version that can be proved and switched
to (docs/adr/0022). These programs run in the scripts' processes and use the standard library only.
"""
