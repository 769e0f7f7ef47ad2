"""The command `explain-page`: a web page that explains pods to users without kubectl."""
