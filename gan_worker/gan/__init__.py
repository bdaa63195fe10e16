"""The GAN itself: the only place that knows TensorFlow and Keras.

A fully convolutional, circular generator: noise on a latent grid (where things lie) and a style (what they look like)
become all maps of a material, and each convolution goes on across the border, so that every picture tiles. Upwards:

    networks     what the networks are built from
    data         real pictures, and what is measured of them before training
    generation   a trained generator at work
    metrics      how near it comes to real pictures
    training     the loop, its losses, and what watches it
    editing      a trained generator used on given pictures

Nothing here knows sockets, Blender or a terminal: long work takes what to do, a function to tell and a function to
ask.
"""
