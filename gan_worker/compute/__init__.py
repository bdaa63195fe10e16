"""The compute process: the server's child, the one that loads TensorFlow.

`process` takes orders from a pipe of messages and says every second that it lives; `jobs` carries one out: a
training, in whose pauses between two steps live requests are answered from the same weights; a generation; a
`repair`. It ends when the server does, and when it is idle for long. Nothing that comes from a network reaches it but
what the server has validated.
"""
