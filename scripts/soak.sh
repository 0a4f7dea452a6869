#!/usr/bin/env bash
# soak.sh: the tests that look for what happens once in a thousand times, as often as it takes. Seeds are printed.
source "$(dirname "$0")/lib.sh"

export GREPZILLA_KILLS=${GREPZILLA_KILLS:-1000} GREPZILLA_QUESTIONS=${GREPZILLA_QUESTIONS:-1000000}
supervised cargo test --locked -p grepzilla --test it -- --nocapture killed
supervised cargo test --locked -p grepzilla-query --test it -- --nocapture
