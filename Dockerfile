# The operator (target `operator`) and the command line (target `cli`).
#
#   docker build --target operator --tag wakala/operator:0.1.0 .
#
# image/build builds both, also without Docker. Where pip needs settings of its own the builder lends them to the
# steps that install; they stay out of the image:
#
#   --secret id=pip.conf,src=FILE    pip's configuration: index, proxy, certificates (`cert = /run/secrets/ca.pem`)
#   --secret id=ca.pem,src=FILE      the certificates that it names

ARG BASE=python:3.11-slim


FROM ${BASE} AS source
# pip stays outside: the base's own installs into this environment.
RUN python3 -m venv --without-pip /opt/wakala
WORKDIR /src
# As a variable the constraints hold for the build backend too; wheels only, since there is no compiler.
ENV PIP_CONFIG_FILE=/run/secrets/pip.conf \
    PIP_CONSTRAINT=/src/constraints.txt \
    PIP_NO_CACHE_DIR=1 \
    PIP_ONLY_BINARY=:all: \
    PIP_PROGRESS_BAR=off
COPY pyproject.toml constraints.txt LICENSE README.md* ./
COPY docs/conditions docs/conditions
COPY operator operator


# Byte code is made here, since a read-only file system takes none later, and is not compared with its source: image
# tools change the times that Python would go by.
FROM source AS build-operator
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    python3 -m pip --python /opt/wakala/bin/python3 install --no-compile '.[operator]'
RUN find /opt/wakala/bin -type f ! -name wakala-operator -delete \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/wakala/lib


FROM source AS build-cli
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.pem \
    python3 -m pip --python /opt/wakala/bin/python3 install --no-compile '.[cli]'
RUN find /opt/wakala/bin -type f ! -name wakala ! -name kubectl-wakala -delete \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/wakala/lib


FROM ${BASE} AS runtime
ARG VERSION=unknown
# What runs here installs nothing and becomes nobody else.
RUN python3 -m pip uninstall --yes -qq --root-user-action=ignore wheel setuptools pip \
    && rm -rf /usr/local/lib/python3.*/ensurepip \
    && find / -xdev -type f -perm /6000 -exec chmod ug-s {} + \
    && echo 'wakala:x:10001:10001::/nonexistent:/usr/sbin/nologin' >> /etc/passwd \
    && echo 'wakala:x:10001:' >> /etc/group
ENV PATH=/opt/wakala/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1
LABEL org.opencontainers.image.title=wakala \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.licenses=Apache-2.0
# A number: from a name the kubelet can't tell that it is not root.
USER 10001:10001


FROM runtime AS operator
COPY --from=build-operator /opt/wakala /opt/wakala
ENTRYPOINT ["wakala-operator"]


FROM runtime AS cli
COPY --from=build-cli /opt/wakala /opt/wakala
ENTRYPOINT ["wakala"]
