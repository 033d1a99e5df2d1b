#!/bin/sh
# Scans one file with curl: resolves the shared name once, pins one address with --resolve (Host and SNI stay the name),
# sends, and asks the same node until it is done (10 minutes at most). Ends with 0 when the file is allowed, 2 when it is blocked, 1 otherwise.
#
#   scan.sh http://core.lb.example:8008 FILE
set -eu
url=${1%/} file=$2
authority=${url#*://}
name=${authority%:*} port=${authority##*:}

# A request to one node, under the shared name.
ask() {
    curl --silent --show-error --noproxy '*' --globoff --connect-timeout 3 --max-time 60 \
        --resolve "$name:$port:$node" "$@"
}

# One line of JSON without white space around colons, whatever the node writes.
compact() { tr '\n' ' ' | sed 's/" *: *"/":"/g'; }

# In an order of our own, since resolvers and systems sort. A node that refuses the connection (7) has seen nothing, so the
# next one may be asked; once a node has taken the file, no other one knows it.
answer=
for node in $(getent ahosts "$name" | awk '{ print $1 }' | sort -u | shuf); do
    case $node in *:*) node="[$node]" ;; esac
    answer=$(ask --request POST --upload-file "$file" --header "filename: $(basename "$file" | tr -cd '[:print:]')" "$url/file") && break
    [ $? = 7 ] || exit 1
done
[ -n "$answer" ] || { echo "no node of $name can be reached" >&2; exit 1; }
id=$(printf '%s' "$answer" | compact | sed -n 's/.*"data_id":"\([0-9a-f]*\)".*/\1/p')
[ -n "$id" ] || { echo "$node does not take it: $answer" >&2; exit 1; }
echo "sent to $node"

wait=0.1
until=$(($(date +%s) + 600))
while [ "$(date +%s)" -lt "$until" ]; do
    result=$(ask "$url/file/$id") || exit 1
    case $(printf '%s' "$result" | compact) in
        *"\"$id\":\"Not Found\""*) echo "$node does not know $id" >&2; exit 1 ;;
        *'"result":"Processing"'*) sleep "$wait"; wait=1 ;;
        *'"result":"Blocked"'*) echo blocked; exit 2 ;;
        *'"result":"Allowed"'*) echo allowed; exit 0 ;;
        *) echo "$node answers: $result" >&2; exit 1 ;;
    esac
done
echo "$node has no result for $id after 600 s" >&2
exit 1
