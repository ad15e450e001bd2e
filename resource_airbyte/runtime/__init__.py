"""Where Airbyte runs: embedded (a daemon of our own), compose (a stack of containers) or remote (somebody else's)."""
