"""Extract in a child process, so that a damaged file can kill only the child."""
