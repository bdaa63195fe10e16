"""The training: its loop, step, losses, and what watches it.

`loop.train` takes a config, a run, a function to tell and a function to ask. `training_set` is what is learned,
`step` one update with its `losses`, `log` what is reported at each tick. `collapse` notices a training that goes
wrong and `copies` one that copies; `pretrained` are the weights it starts from, `gpus` share a batch.
"""
