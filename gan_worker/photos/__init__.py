"""Photos made usable before anything is learned from them or made of them, with NumPy alone: Blender does it too.

`preparing` does what a `Preparation` says, in this order: `straightening` brings four corners to a rectangle, `light`
evens out slow changes of brightness and takes out its cast. `suggestion` proposes corners where a photo shows a regular
pattern, `problems` says what no preparation can mend.
"""
