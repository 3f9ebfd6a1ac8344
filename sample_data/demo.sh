#!/bin/sh
# Extracts all states of the sample texts and shows what came out: `sh sample_data/demo.sh`, from the checkout's top.
# PYTHON names the Python whose rnnstates is run (default: the rnnstates on the PATH).
set -eu

case "${PYTHON:-}" in
*/*) command=$(dirname "$PYTHON")/rnnstates ;;
*) command=rnnstates ;;
esac

show() {
    printf '\n$ rnnstates %s\n' "$*"
    "$command" "$@"
}

mkdir -p .demo
show extract sample_data/parens.h5 .demo/parens_states.h5 --weights sample_data/parens.keras --force
show info .demo/parens_states.h5
