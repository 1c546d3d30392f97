"""``python -m build_hook``: the same as the ``build-hook`` command."""

from build_hook import cli

if __name__ == "__main__":
    cli.main()
