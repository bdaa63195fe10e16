"""The server: owns keys, queue, journal and results, and has no TensorFlow.

`server` is the loop over the sockets; a request goes to `handlers`, is held against `validation`, and becomes a job
in the `queue`, which is in the `journal` before it is accepted. The `scheduler` hands jobs to compute processes,
which a `supervisor` starts, watches and ends. `subscriptions` are who hears what, `blobs` are results,
`run_catalogue` knows the runs, and `allowed_folders` says which pictures a client may name. A request is answered
within a second, whatever the compute process does.
"""
