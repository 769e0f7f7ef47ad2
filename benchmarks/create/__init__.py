"""What the webhook adds to the creation of a pod, through a real API server.

`measuring` creates pods in turns, `report` runs everything and prints.
"""

import sys
from pathlib import Path

# The API server is part of the tests, whose folder is where their imports begin.
sys.path.append(str(Path(__file__).parents[2] / "tests"))
