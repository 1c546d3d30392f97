"""Compose files: from a stranger's YAML to the parts of a project.

``document`` is YAML with bounds, ``interpolation`` its variables, ``entry`` one service on its
way, ``fields`` what each key of it becomes, ``mounts`` its volumes, ``policy`` what only the
operator may say, ``order`` what comes first, ``reading`` all of it.
"""
