"""The encoder of scVI: frozen, applied, trained, or read from a published model."""
