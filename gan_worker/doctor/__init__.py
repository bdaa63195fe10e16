"""The doctor: checks of an installation, and what it found.

`checks` is the list of them, each of which gives a `findings.Finding` with a cure, whatever happens; `tensorflow`
tries TensorFlow in a child process, whose crash is a finding too; `view` shows them as they come. It runs where
packages are missing, so it imports late.
"""
