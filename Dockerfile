FROM python:3.12-slim
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir '.[formats]' && rm -rf /src
WORKDIR /data
ENV XDG_CACHE_HOME=/cache
VOLUME ["/cache"]
ENTRYPOINT ["twinpix"]
