"""What crosses a stage boundary: one Pandera schema per table, one slots contract per AnnData."""
