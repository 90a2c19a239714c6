"""The journal: decisions on local disk while Postgres is away (docs/decisions/0022-journal.md).

`frames` is the format of a file, `records` that of a decision, `segments` the files of a process,
`journal` what is in them, `log` the decision log that uses it, `drainer` brings it into Postgres.
"""
