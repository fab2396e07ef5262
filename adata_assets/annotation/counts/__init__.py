"""Where raw counts are, and whether every stored value is one."""
