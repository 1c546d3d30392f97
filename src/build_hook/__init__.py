"""Push to git, and the container is rebuilt and replaced with nobody noticing."""

__version__ = "0.1.0"
