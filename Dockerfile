# Two images from one file, alike but for the Kubernetes client:
#
#   docker build --target webhook -t dind-webhook .         serves
#   docker build --target certs   -t dind-webhook-certs .   issues and rotates certificates
#
# BASE is any image of glibc with Python 3.11 or newer, pip and libgcc. Without a network, put wheels into
# wheels/ (pip download -r requirements/cluster.txt -r requirements/build.txt -d wheels) and say
# --build-arg PIP_FLAGS="--no-index --find-links=wheels".
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ARG PIP_FLAGS=
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY . .
# The project's own wheel, made by a builder that stays in this stage.
RUN python3 -m venv --without-pip /builder \
    && python3 -m pip --python /builder/bin/python install ${PIP_FLAGS} \
        --require-hashes -r requirements/build.txt \
    && /builder/bin/python -m hatchling build --target wheel --directory /dist
# The two environments have no pip, and byte code that says the same wherever it was made. Each is
# made at the place where it will stand, since its scripts name their Python by its path.
RUN mkdir /env && for set in serve cluster; do \
        python3 -m venv --without-pip /opt/dind-webhook \
        && python3 -m pip --python /opt/dind-webhook/bin/python install ${PIP_FLAGS} \
            --require-hashes -r requirements/$set.txt \
        && python3 -m pip --python /opt/dind-webhook/bin/python install --no-deps --no-index \
            /dist/*.whl \
        && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/dind-webhook/lib \
        && mv /opt/dind-webhook /env/$set \
        || exit 1; \
    done

FROM ${BASE} AS runtime
# A number, so that the kubelet can see that it is not root. Nothing is written at run time, no
# shell is called.
USER 65532:65532
ENV PATH=/opt/dind-webhook/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /

FROM runtime AS certs
COPY --from=build /env/cluster /opt/dind-webhook
CMD ["dind-certs", "--help"]

FROM runtime AS webhook
COPY --from=build /env/serve /opt/dind-webhook
EXPOSE 8443 8080
CMD ["dind-webhook", "--help"]
