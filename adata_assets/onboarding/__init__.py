"""A first look into a raw file, and the YAML that it suggests."""
