"""A suite of the Docker SDK for Python. It builds from the directory it runs in."""

from pathlib import Path
from urllib.request import urlopen

import docker  # type: ignore[import-untyped]  # the image has it

client = docker.from_env()

image, _ = client.images.build(path=".", tag="made")
assert image.tags == ["made:latest"]

assert client.containers.run("made", "cat /said", remove=True) == b"a build step ran\n"

directory = {str(Path.cwd()): {"bind": "/w", "mode": "rw"}}
Path("mine").write_text("from the suite\n", encoding="utf-8")
copy = ["sh", "-c", "cat mine; cat mine >theirs"]
assert (
    client.containers.run("made", copy, volumes=directory, working_dir="/w") == b"from the suite\n"
)
assert Path("theirs").read_text(encoding="utf-8") == "from the suite\n"

serve = ["sh", "-c", "busybox httpd -p 80 -h / && echo ready && exec sleep 1000"]
server = client.containers.run("made", serve, detach=True, ports={"80/tcp": None})
assert next(server.logs(stream=True)) == b"ready\n"
server.reload()
(port, *_) = server.ports["80/tcp"]
with urlopen(f"http://localhost:{port['HostPort']}/said") as answer:
    assert answer.read() == b"a build step ran\n"
assert server.exec_run("cat /said") == (0, b"a build step ran\n")
server.remove(force=True)
