"""The training: its loop, step, losses, and what watches it.

`loop.train` takes a config, a run, a function to tell and a function to ask. `training_set` is what is learned,
`step` one update with its `losses`, `log` what is reported at each tick. `previews` are looked at: `collapse` notices a
training that goes wrong and `copies` one that copies; `pretrained` are the weights it starts from, `gpus` share a
batch. What differs from one kind of network to another, such as `classic`, stands in `pipelines`, and nowhere else.
"""
