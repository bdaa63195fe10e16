"""How near generated maps come to real ones, without a downloaded network.

`evaluation` puts the figures together, each beside what one half of the real pictures gets against the other
(`reference`) and what `baselines` get: `distances` of statistics, `faults` that are seen at once, a `classifier_test`,
and the `nearest` real pieces. A training that is measured as it goes has reached a `plateau` where nothing falls.
"""
