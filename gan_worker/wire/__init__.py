"""The protocol between client and server: messages, codec, sockets, keys and pairing."""
