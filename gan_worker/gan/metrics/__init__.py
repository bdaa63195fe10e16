"""How near generated maps come to real ones, without a downloaded network.

`evaluation` puts the figures together, each beside what one half of the real pictures gets against the other
(`reference`) and what `baselines` get: `distances` of statistics, a `classifier_test`, and the `nearest` real pieces.
"""
