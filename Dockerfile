# emotion-rppg on a CPU, with pinned package versions.
#   docker build --tag emotion-rppg .
#   docker run --rm --volume "$PWD:/work" emotion-rppg pulse face.mp4 --out wave.csv
# The web page answers only programs inside of its own container: run `app` outside of one.
FROM python:3.12-slim-bookworm

# OpenCV needs these two system libraries; Debian keeps no older version that could be pinned
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

COPY . /source
# torch without CUDA, which is a tenth of the size; its version is that of constraints.txt
RUN pip install --no-cache-dir --constraint /source/constraints.txt \
        --extra-index-url https://download.pytorch.org/whl/cpu \
        "torch==$(sed -n 's/^torch==//p' /source/constraints.txt)+cpu" \
        "/source[files,fast]" \
    && rm -rf /source

RUN useradd --create-home --uid 1000 researcher
USER 1000
WORKDIR /work
ENTRYPOINT ["emotion-rppg"]
CMD ["--help"]
