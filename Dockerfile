# The image of dind-webhook: all programs of the chart, as commands of dind-webhook, and the rotation of
# certificates (dind-certs).
#
#   docker build -t dind-webhook .
#
# BASE is any glibc image with Python 3.11 or newer, pip, libgcc and libstdc++. Without a network, download the
# wheels into wheels/ first (pip download -r requirements/runtime.txt -r requirements/build.txt
# -d wheels) and add --build-arg PIP_FLAGS="--no-index --find-links=wheels".
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ARG PIP_FLAGS=
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY . .
# The project's wheel; hatchling stays in this stage.
RUN python3 -m venv --without-pip /builder \
    && python3 -m pip --python /builder/bin/python install ${PIP_FLAGS} \
        --require-hashes -r requirements/build.txt \
    && /builder/bin/python -m hatchling build --target wheel --directory /dist
# The environment has no pip. Its byte code does not depend on the time of the build.
RUN python3 -m venv --without-pip /opt/dind-webhook \
    && python3 -m pip --python /opt/dind-webhook/bin/python install ${PIP_FLAGS} \
        --require-hashes -r requirements/runtime.txt \
    && python3 -m pip --python /opt/dind-webhook/bin/python install --no-deps --no-index \
        /dist/*.whl \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/dind-webhook/lib

FROM ${BASE}
COPY --from=build /opt/dind-webhook /opt/dind-webhook
# A number, because the kubelet cannot tell whether a user name is root. Nothing is written at run
# time. Only the chart's check of nodes calls a shell, with grep and sed (userNamespaces.nodeCheck).
USER 65532:65532
ENV PATH=/opt/dind-webhook/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /
EXPOSE 8443 8080
CMD ["dind-webhook", "--help"]
