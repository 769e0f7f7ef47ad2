"""A Compose project of two services, one of which asks the other by its name."""

from node.injecting import MAKE_IMAGE

PROJECT = f"""{MAKE_IMAGE}
cat >compose.yaml <<'END'
name: shop
services:
  server:
    build: .
    init: true
    command: [sh, -c, echo from the server >/kept/said && exec busybox httpd -f -p 80 -h /kept]
    volumes: [kept:/kept]
    healthcheck: {{test: [CMD, busybox, wget, -q, -O, /null, localhost/said], interval: 1s}}
  reader:
    image: made
    command: [busybox, wget, -q, -O, "-", server/said]
    depends_on: {{server: {{condition: service_healthy}}}}
volumes:
  kept: {{}}
END
compose() {{
  docker compose --progress quiet "$@"
}}
"""
UP_AND_DOWN = f"""{PROJECT}
compose up --build --detach --wait server
compose run --rm reader
compose down
docker run --rm --volume shop_kept:/kept made cat /kept/said
compose down --volumes
docker ps --all --quiet
docker volume ls --quiet
docker network ls --quiet --filter name=shop
"""
