"""The run folder: settings, checkpoints, provenance, licenses, curves and likeness to the sources.

A run is a folder that explains itself, and a model is what is in it. Every file is written whole or not at all, has a
format with a number, and is checked against its hash when it is read: a damaged checkpoint is put aside, and the one
before it is used.
"""
