#!/bin/sh
# The scenario with curl. One call with two URLs uses one connection.
set -eu
collection=$1 counted=$2 party=$3 document=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

show() { # STEP STATUS FILE
  printf '{"step":"%s","status":%s,"body":"%s"}\n' "$1" "$2" "$(base64 <"$3" | tr -d '\n')"
}

step() { # STEP, then curl's arguments
  name=$1
  shift
  status=$(curl -sS -D "$folder/head" -o "$folder/body" -w '%{http_code}' "$@")
  show "$name" "$status" "$folder/body"
}

header() { # NAME
  tr -d '\r' <"$folder/head" | sed -n "s/^$1: //Ip"
}

json='Content-Type: application/json'
step create -H "$json" -d "$document" "$collection"
resource=$(header location) tag=$(header etag)
step list "$collection"
step filter "$collection?relatedParty.id=$party"
step patch -X PATCH -H "$json" -H "If-Match: $tag" -d '{"description":"first"}' "$resource"
step 'stale patch' -X PATCH -H "$json" -H "If-Match: $tag" -d '{"description":"second"}' "$resource"
{
  printf '{"description":"'
  head -c 3000000 /dev/zero | tr '\0' x
  printf '"}'
} >"$folder/large"
step 'too large' -H "$json" --data-binary "@$folder/large" "$collection"
curl -sS -o "$folder/1" -w '%{http_code}\n' "$counted" -o "$folder/2" "$counted" >"$folder/statuses"
for number in 1 2; do
  show reuse "$(sed -n "${number}p" "$folder/statuses")" "$folder/$number"
done
