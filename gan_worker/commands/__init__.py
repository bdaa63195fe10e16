"""The commands of `gan-worker`, a file for each subject."""
