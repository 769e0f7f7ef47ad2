"""`python -m webhook` is the command `dind-webhook`."""

from webhook.cli import main

main()
