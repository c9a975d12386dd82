# syntax=docker/dockerfile:1

# The first stage makes a virtual environment from the wheel and the pinned dependencies; the second
# gets that and nothing that builds. Python is pinned by its minor release: its image is rebuilt with
# every security fix, and a digest would keep those out.
FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml requirements.lock LICENSE README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md ./
COPY tmf683 ./tmf683
COPY app app
COPY handlers handlers
COPY storage storage
COPY openapi openapi
COPY docs docs
COPY deploy/README.md deploy/runbook.md deploy/
RUN python -m venv /opt/tmf683
RUN /opt/tmf683/bin/pip install --no-cache-dir --disable-pip-version-check -c requirements.lock '.[tracing]'
RUN python -m compileall -q /opt/tmf683/lib
RUN /opt/tmf683/bin/pip uninstall --yes --quiet pip setuptools

FROM python:3.11-slim
LABEL org.opencontainers.image.title="tmf683" \
      org.opencontainers.image.description="Contract-first server for TM Forum's TMF683" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/tmf683 /opt/tmf683
# Nothing is written but below /data and /tmp: the root file system may be read-only.
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin tmf683 \
    && install --directory --owner=10001 --group=10001 /data
ENV PATH=/opt/tmf683/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    TMF_HOST=0.0.0.0 \
    TMF_PORT=8080 \
    TMF_LOG_FORMAT=json \
    TMF_STORE=sqlite:////data/tmf683.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['TMF_PORT'] + '/health/live', timeout=4)"]
ENTRYPOINT ["tmf683"]
CMD ["serve"]
