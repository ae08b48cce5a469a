#!/bin/sh
# A schema-driven fuzz of a running node: schemathesis makes requests from the API's own document. No
# answer may be a 5xx, and each has a status, content type and body that the document names.
#
# Takes the program to test as its argument. Without a schemathesis in PATH it installs one into a
# Python environment below ~/.cache, outside of this folder; it skips loudly when that cannot be done.
set -eu

program=$(realpath "${1:?the gridtally program}")
examples=${GRIDTALLY_FUZZ_EXAMPLES:-200}
version=4.32.5

skip() {
  echo "SKIPPED: no schema-driven fuzz, $1" >&2
  exit 0
}

schemathesis=$(command -v schemathesis || true)
if [ -z "$schemathesis" ]; then
  environment=${XDG_CACHE_HOME:-$HOME/.cache}/gridtally/schemathesis-$version
  schemathesis=$environment/bin/schemathesis
  if [ ! -x "$schemathesis" ]; then
    command -v python3 >/dev/null 2>&1 || skip "python3 is not there"
    python3 -m venv "$environment" >&2 || skip "python3 makes no environment (python3-venv?)"
    "$environment/bin/pip" install --quiet "schemathesis==$version" >&2 ||
      skip "schemathesis cannot be installed"
  fi
fi

folder=$(mktemp -d)
node=""
trap '[ -z "$node" ] || { kill "$node" 2>/dev/null || true; wait "$node" 2>/dev/null || true; }
  rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM

# A ledger with something in it, so that addresses lead somewhere.
"$program" --json demo --once --homes 4 --dir "$folder/node" >/dev/null
"$program" --json node --dir "$folder/node" --listen 127.0.0.1:0 >"$folder/start.json" &
node=$!

url=""
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  url=$(sed -n 's/.*"url": *"\([^"]*\)".*/\1/p' "$folder/start.json")
  [ -n "$url" ] && break
  sleep 0.5
done
[ -n "$url" ] || { echo "the node did not start" >&2; exit 1; }

# The first value of a field in what the program prints: `first FIELD show LIST`.
first() {
  field=$1
  shift
  "$program" --json "$@" --node "$url" | sed -n "s/.*\"$field\": *\"\\([^\"]*\\)\".*/\\1/p" | sed 1q
}
usage_point=$(first usage_point show usage-points)

# 503 is an answer that the document names; at_least is fixed, since each vain wait takes 5 seconds.
cat >"$folder/any.toml" <<END
[parameters]
at_least = 0
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]
END
# The same requests about things that are there.
cat >"$folder/there.toml" <<END
[parameters]
at_least = 0
height = "1"
usage_point = "$usage_point"
bill = "$(first bill show bills "$usage_point")"
party = "$(first party show parties)"
tariff = "$(first tariff show tariffs)"
transaction = "$(first transaction_id show block 1)"
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]
END

checks=not_a_server_error,status_code_conformance,content_type_conformance
checks=$checks,response_headers_conformance,response_schema_conformance
found=0
for about in any there; do
  echo "== requests about $about"
  # It leaves a folder of its own where it stands.
  cd "$folder"
  "$schemathesis" --config-file "$folder/$about.toml" run "$url/v1/openapi.json" \
    --checks "$checks" --phases examples,coverage,fuzzing --max-examples "$examples" \
    --exclude-path /v1/live --exclude-path /v1/events --generation-database none \
    --request-timeout 30 --continue-on-failure --no-color || found=1
done
kill -0 "$node" || { echo "the node ended" >&2; exit 1; }
exit "$found"
