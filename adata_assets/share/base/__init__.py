"""What every share store builds on: manifests, progress, reading back, retries."""
