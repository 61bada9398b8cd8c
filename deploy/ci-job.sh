#!/bin/sh
# A deployment job: announce the release, wait for the verdict, and let its exit code decide the pipeline.
set -eu
ID=$(ripcord release start --url "$RIPCORD_URL" --service "$SERVICE" --environment "$ENVIRONMENT" --version "$VERSION")
ripcord release wait --url "${RIPCORD_CONSOLE_URL:-$RIPCORD_URL}" --timeout "${TIMEOUT:-70m}" "$ID"
