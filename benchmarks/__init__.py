"""What the service costs, next to a bare uvicorn that sends every body back.

`reviews` makes what is sent, `servers` starts who answers, `load` sends and measures, `comparing`
does so in rounds, `steps` times the parts of one answer, `tables` prints.
"""
