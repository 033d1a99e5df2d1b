#!/bin/sh
# Deactivates the MetaDefender Core node at $EVENKEEL_ADDRESS: an action of kind `exec`, the step before the node is
# registered as a hot backup. The node itself has no request for that, so the script asks the license server of the
# vendor. It needs these variables:
#
#   ACTIVATION_KEY_FILE   file with the activation key of the license
#   HEADERS_FILE          file with headers for the node, such as "apikey: KEY"
set -eu
port=${CORE_PORT:-8008}
server=${LICENSE_SERVER:-https://activation.dl.opswat.com}
case $EVENKEEL_ADDRESS in
    *:*) node="http://[$EVENKEEL_ADDRESS]:$port" ;;
    *) node="http://$EVENKEEL_ADDRESS:$port" ;;
esac
fail() {
    echo "$1"
    exit 1
}

license=$(curl --silent --show-error --fail --globoff --noproxy '*' --max-time 5 --header "@$HEADERS_FILE" \
    "$node/admin/license" 2>&1) || fail "$license"
deployment=$(printf '%s' "$license" | sed -n 's/.*"deployment" *: *"\([^"]*\)".*/\1/p')
[ -n "$deployment" ] || fail "the node reports no deployment ID"

# The key is not an argument, because other users of this machine can see arguments.
answer=$(printf 'data-urlencode = "key=%s"\n' "$(cat "$ACTIVATION_KEY_FILE")" |
    curl --silent --show-error --fail --max-time 10 --config - --get --data-urlencode "deployment=$deployment" \
        "$server/deactivation" 2>&1) || fail "$answer"
# The license server reports most errors with status 200.
case $answer in *error*) fail "$answer" ;; esac
