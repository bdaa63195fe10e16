"""The networks and what they are built from: layers, generator, discriminator, precision and Adam.

`architectures` chooses those that belong to a config.
"""
