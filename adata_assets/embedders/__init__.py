"""One file per embedding method, found by its name; ``contract.py`` says what a method promises."""
