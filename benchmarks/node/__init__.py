"""How soon a pod has docker: ours next to other shapes of pod, on the tests' one-node cluster.

`shapes` are the pods, `rounds` runs them in turn, `starting` creates one and reads what it said,
`journal` has containerd's events, `steps` says where our time goes, `report` prints.
"""

import sys
from pathlib import Path

# The cluster is part of the tests, whose folder is where their imports begin.
sys.path.append(str(Path(__file__).parents[2] / "tests"))
