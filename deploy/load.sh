#!/usr/bin/env bash
# Loads a vendor's data into a DuckDB file, without Meltano. Settings are environment variables of the tap and the loader.
#
#   load.sh tap-personio                  only changes since the last run
#   load.sh tap-personio --full-refresh   everything, to find deletions
#   load.sh tap-personio --doctor         what the credential may read; --plan, --dossier and --discover work
#                                         the same way
#
# The state is in the DuckDB file, committed together with the rows, so nothing else has to be kept between runs.
set -euo pipefail

if [[ ! ${1:-} =~ ^tap-(personio|factorial|cornerstone)$ ]]; then
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
tap=$1
shift
: "${TARGET_DUCKDB_PATH:?Set TARGET_DUCKDB_PATH to the DuckDB file.}"
export TARGET_DUCKDB_DEFAULT_TARGET_SCHEMA=${TARGET_DUCKDB_DEFAULT_TARGET_SCHEMA:-${tap//-/_}}

case ${1:-} in
  --full-refresh)
    shift
    state='{}'
    ;;
  --about | --check-agreement | --discover | --doctor | --dossier | --help | --plan | --pseudonym | --version)
    exec "$tap" --config=ENV "$@"
    ;;
  *)
    state='{}'
    if [[ -e $TARGET_DUCKDB_PATH ]]; then
      state=$(target-duckdb --config=ENV --committed-state)
    fi
    ;;
esac

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '%s' "$state" > "$scratch/state.json"
touch "${TMPDIR:-/tmp}/load-started" # for the health check of the container

"$tap" --config=ENV --state="$scratch/state.json" "$@" | target-duckdb --config=ENV > /dev/null &
# A stop reaches the tap only: the loader commits what has arrived, and ends by itself.
tap_process=$(jobs -p)
trap 'kill -TERM "$tap_process" 2> /dev/null || true' TERM INT
code=0
wait %1 || code=$?
if [[ -n $(jobs -r) ]]; then # a signal has interrupted the wait
  code=0
  wait %1 || code=$?
fi
exit "$code"
