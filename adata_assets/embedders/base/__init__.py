"""What all methods stand on: cells as they read them, frozen models, fitting and applying."""
