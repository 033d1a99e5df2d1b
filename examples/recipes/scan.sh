#!/bin/sh
# Scans one file with curl: resolves the shared name once, pins it with --resolve (Host and SNI stay the name), sends, and
# asks the same node until it is done.
#
#   scan.sh core.lb.example 8008 FILE [NAME-SERVER [DNS-PORT]]
set -eu
name=$1 port=$2 file=$3 server=${4:-} dns_port=${5:-53}

if [ -n "$server" ]; then
    addresses=$(dig "@$server" -p "$dns_port" +short "$name" A)
else
    addresses=$(getent ahostsv4 "$name" | awk '{ print $1 }' | sort -u)
fi
# Any of them, and not the first: resolvers and systems sort.
node=$(printf '%s\n' "$addresses" | grep -E '^[0-9.]+$' | shuf -n 1)
[ -n "$node" ] || { echo "$name has no addresses" >&2; exit 1; }
ask() { curl --silent --show-error --noproxy '*' --resolve "$name:$port:$node" "$@"; }

answer=$(ask --data-binary "@$file" --header "filename: $(basename "$file")" "http://$name:$port/file")
id=$(printf '%s' "$answer" | sed -n 's/.*"data_id":"\([0-9a-f]*\)".*/\1/p')
[ -n "$id" ] || { echo "$node does not take it: $answer" >&2; exit 1; }
echo "sent to $node"
while :; do
    result=$(ask "http://$name:$port/file/$id")
    case $result in
        *'"Not Found"'*) echo "$node does not know $id" >&2; exit 1 ;;
        *'"result":"Processing"'*) sleep 0.2 ;;
        *'"result":"Allowed"'*) echo allowed; exit 0 ;;
        *) echo blocked; exit 2 ;;
    esac
done
