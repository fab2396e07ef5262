"""Pictures of what the stages made, as small PNG files; the same input gives the same bytes."""
