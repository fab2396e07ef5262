"""What is known of a cell, and the plain words that state it."""
