"""What the service costs, next to a bare uvicorn that sends every body back, and to others.

`reviews` makes what is sent, `programs` names who answers and `servers` runs them, `load` sends and
measures, `answers` checks; `comparing` does so in rounds, `starts` starts them again and again.
`figures` and `goals` say what it came to, `tables` and `report` print. `steps` times the parts of
one answer; `create` and `node` are benchmarks of their own.
"""
