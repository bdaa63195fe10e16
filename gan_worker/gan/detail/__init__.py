"""Native detail: what real pictures have beyond the small ones that the generator learns, octave by octave.

`bank` keeps real detail and how to find it, `matching` finds for each block of small maps the real block most like it,
and `stage` draws an octave out of both with the network `networks.upsampler`.
"""
