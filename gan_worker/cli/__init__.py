"""The command line, a file for each command.

`app` lists the commands and says what a person reads when one fails; `options` holds what several take, `terminal`
how they show progress. A command reads its options, calls what does the work with `report` and `should_stop`, and
shows what came; it decides nothing else. `serve` and `doctor` have parsers of their own, so that both start where
packages are missing.
"""
