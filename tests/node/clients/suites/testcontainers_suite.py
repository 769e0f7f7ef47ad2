"""A suite of Testcontainers for Python. It builds from the directory it runs in."""

from urllib.request import urlopen

from testcontainers.core import (  # type: ignore[import-not-found]  # the image has it
    container,
    image,
    wait_strategies,
)

serve = ["sh", "-c", "echo ready && exec busybox httpd -f -p 80 -h /"]
is_up = wait_strategies.CompositeWaitStrategy(
    wait_strategies.LogMessageWaitStrategy("ready"),
    wait_strategies.HttpWaitStrategy(80, "/said").for_status_code(200),
)

with image.DockerImage(path=".", tag="made:suite") as made:
    server = container.DockerContainer(str(made)).with_command(serve).with_exposed_ports(80)
    with server.waiting_for(is_up):
        host, port = server.get_container_host_ip(), server.get_exposed_port(80)
        assert host == "localhost"
        with urlopen(f"http://{host}:{port}/said") as answer:
            assert answer.read() == b"a build step ran\n"
