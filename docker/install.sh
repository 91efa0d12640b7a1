#!/usr/bin/env bash
# The steps that take minutes and change seldom. docker/Dockerfile runs them, and so do the tests of tests/cluster on a
# machine without a container engine. They run as root, in the folder that holds the files of the image.
set -euo pipefail

case $1 in
system) # Java for Spark, OpenMP for LightGBM, a first process that ends its orphans, curl for the health checks
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
        openjdk-17-jre-headless libgomp1 tini curl
    rm -rf /var/lib/apt/lists/*
    ;;
packages) # the Python environment ./venv with what the file of requirements lists
    python3 -m venv venv
    # The file is complete; resolving again would bring back pyspark-client, which overwrites pyspark.
    venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r "$2"
    ;;
esac
