#!/bin/sh
# Scans files in one batch with curl: `evenkeel pin --curl` resolves the shared name once and gives the arguments that make
# curl reach one node under that name; everything of the batch goes there. Prints the signed result. Ends with 0 when all
# of it is allowed, 2 when something is blocked, 1 otherwise.
#
#   batch.sh http://core.lb.example:8008 FILE…
set -eu
url=$1
shift
pin=$(evenkeel pin "$url" --curl)

# A request to the node. The arguments in $pin are words of their own.
# shellcheck disable=SC2086
ask() { curl --silent --show-error --noproxy '*' --connect-timeout 3 --max-time 60 $pin "$@"; }

id=$(ask --request POST "$url/file/batch" | sed -n 's/.*"batch_id":"\([0-9a-f]*\)".*/\1/p')
[ -n "$id" ] || { echo "no batch is opened: ${pin##* }" >&2; exit 1; }
# Whatever goes wrong from here on: the node need not keep what is never closed.
trap 'ask --request POST "$url/file/batch/$id/cancel" >/dev/null' EXIT

for file in "$@"; do
    ask --fail --output /dev/null --request POST --upload-file "$file" --header "batch: $id" \
        --header "filename: $(basename "$file" | tr -cd '[:print:]')" "$url/file"
done
# Refused while files are in progress.
until ask --fail --output /dev/null --request POST "$url/file/batch/$id/close" 2>/dev/null; do sleep 0.5; done
trap - EXIT

ask "$url/file/batch/$id/certificate"
case $(ask "$url/file/batch/$id") in
    *'"process_info":{"result":"Allowed"'*) exit 0 ;;
    *) exit 2 ;;
esac
