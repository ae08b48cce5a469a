#!/bin/sh
# A schema-driven fuzz of a running node: schemathesis makes requests from the API's own document, and
# no answer may be a 5xx. Takes the program to test as its argument; skips loudly without schemathesis.
set -eu

program=${1:?the gridtally program}
examples=${GRIDTALLY_FUZZ_EXAMPLES:-200}

if ! command -v schemathesis >/dev/null 2>&1; then
  echo "SKIPPED: schemathesis is NOT INSTALLED; pip install schemathesis" >&2
  exit 0
fi

folder=$(mktemp -d)
"$program" --json node --dir "$folder/node" --listen 127.0.0.1:0 >"$folder/start.json" &
node=$!
trap 'kill "$node" 2>/dev/null || true; wait "$node" 2>/dev/null || true; rm -rf "$folder"' EXIT

url=""
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  url=$(sed -n 's/.*"url": *"\([^"]*\)".*/\1/p' "$folder/start.json")
  [ -n "$url" ] && break
  sleep 0.5
done
[ -n "$url" ] || { echo "the node did not start" >&2; exit 1; }

# 503 is an answer that the document names; at_least is fixed, since each vain wait takes 5 seconds.
cat >"$folder/schemathesis.toml" <<'END'
[parameters]
at_least = 0
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]
END
schemathesis --config-file "$folder/schemathesis.toml" run "$url/v1/openapi.json" \
  --checks not_a_server_error --phases examples,coverage,fuzzing --max-examples "$examples" \
  --exclude-path /v1/live --exclude-path /v1/events --generation-database none \
  --request-timeout 30 --no-color
