"""The demonstration: a git host, two projects, steady load and five pushes, on real parts."""
