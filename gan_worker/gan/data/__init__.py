"""Real pictures as training data, and what is measured of them before a training begins.

`dataset` reads sets and chooses the scale at which their shapes fit what the networks see at once; `statistics`,
`periodicity` and `isotropy` measure; `waves` are the rhythms that a generator is given so that bonds and tilings stay
straight.
"""
