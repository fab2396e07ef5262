"""A Nextcloud server as the share store `nextcloud` uses it: requests, files, public links."""
