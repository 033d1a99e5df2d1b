#!/bin/sh
# Scans files in one batch with curl: `evenkeel pin --curl` resolves the shared name once and gives the arguments that make
# curl reach one node under that name; everything of the batch goes there. Prints the signed result. Ends with 0 when all
# of it is allowed, 2 when something is blocked, 1 otherwise.
#
#   batch.sh http://core.lb.example:8008 FILE…
set -eu
url=${1%/}
shift
pin=$(evenkeel pin "$url" --curl)

# A request to the node. The arguments in $pin are words of their own.
# shellcheck disable=SC2086
ask() { curl --silent --show-error --noproxy '*' --globoff --connect-timeout 3 --max-time 60 $pin "$@"; }

# After any failure, cancel the batch: the node would keep a batch that is never closed.
id=
give_up() {
    trap - EXIT
    [ -z "$id" ] || ask --request POST "$url/file/batch/$id/cancel" >/dev/null || true
    echo "$1" >&2
    exit 1
}
trap 'give_up interrupted' INT TERM
trap 'give_up failed' EXIT

answer=$(ask --request POST "$url/file/batch") || give_up "no batch is opened"
id=$(printf '%s' "$answer" | tr '\n' ' ' | sed -n 's/.*"batch_id" *: *"\([0-9a-f]*\)".*/\1/p')
[ -n "$id" ] || give_up "no batch is opened: $answer"

for file in "$@"; do
    answer=$(ask --request POST --upload-file "$file" --header "batch: $id" \
        --header "filename: $(basename "$file" | tr -cd '[:print:]')" "$url/file") || give_up "$file is not sent"
    case $answer in *'"data_id"'*) ;; *) give_up "$file is not taken: $answer" ;; esac
done

# Refused while files are in progress.
until=$(($(date +%s) + 600))
while answer=$(ask --write-out ' %{http_code}' --request POST "$url/file/batch/$id/close" 2>/dev/null) || true; do
    case $answer in
        *'"Not Found"'* | *' 404') give_up "the node does not know $id" ;;
        *' 200') break ;;
    esac
    [ "$(date +%s)" -lt "$until" ] || give_up "$id is not closed after 600 s"
    sleep 0.5
done

signed=$(ask --fail "$url/file/batch/$id/certificate") || give_up "there is no signed result of $id"
trap - EXIT
printf '%s\n' "$signed"
# The verdict of the whole batch is below the key process_info that is not indented.
case $(printf '%s\n' "$signed" | sed -n '/^process_info:/,/^[^ ]/s/^  result: *//p') in
    Allowed) exit 0 ;;
    Blocked) exit 2 ;;
    *) echo "no verdict: $signed" >&2; exit 1 ;;
esac
