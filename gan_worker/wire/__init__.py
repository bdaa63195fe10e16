"""The protocol between client and server: messages, codec, sockets, keys and pairing.

The docstring of `codec` is its specification, and the dataclasses of `messages` are its list of fields. It has a
version of its own. Every connection is encrypted and authenticated by CURVE; `pairing` is how two computers learn
each other's keys.
"""
