"""One photo that becomes a model without any training.

`reading` brings its maps into memory, prepared and tileable where that is wanted; `making` estimates once what it lacks
and saves it as any model is saved. What gives its pictures is `generation.photo`.
"""
