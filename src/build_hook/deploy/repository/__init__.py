"""git repositories: who may be asked for what, and how the files of a commit are brought."""
