"""The run folder: settings, checkpoints, provenance, licences, curves and likeness to the sources."""
