"""The client of a worker: runs in Blender and in the command line, without TensorFlow and without threads.

`launcher` starts a server, or finds the one that runs, and `Client` speaks to it: every method returns at once, and
`collect`, called again and again, gives the `events` that have come. `requests` sends again what was not answered,
`heartbeat` tells a busy worker from a lost one, `listings` puts long lists together, and `downloads` pulls pixels in
pieces and checks their hash.
"""
