#!/usr/bin/env bash
# Keycloak, a real OpenID Connect provider, with the realm "bessemer" in memory: a client
# "bessemer", whose secret is "bessemer-secret", for the grant client_credentials. Java 17 or newer.
#   bash testbed/keycloak.sh                 installs it when missing, prints its folder
#   PORT=8180 DIR=d bash testbed/keycloak.sh
#                                            also starts it and prints the id of its process group
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
VERSION=26.7.3
KEYCLOAK=$TB_CACHE/keycloak/keycloak-$VERSION

install() {
  [ -x "$KEYCLOAK/bin/kc.sh" ] && return 0
  command -v java >/dev/null 2>&1 || die "needs the java command"
  apt_need mvn maven
  apt_need unzip unzip
  echo "$NAME: downloading $VERSION, some minutes" >&2
  local out
  out=$(mktemp -d "$TB_CACHE/keycloak.XXXXXX")
  quiet mvn.log mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
    -Dartifact="org.keycloak:keycloak-quarkus-dist:$VERSION:zip" -DoutputDirectory="$out"
  unzip -q "$out"/*.zip -d "$out"
  mkdir -p "$(dirname "$KEYCLOAK")"
  mv "$out/keycloak-$VERSION" "$KEYCLOAK"
  rm -rf "$out"
}

# Tokens are for the client itself: introspection calls others inactive.
realm() {
  cat <<'JSON'
{
  "realm": "bessemer", "enabled": true, "sslRequired": "none", "accessTokenLifespan": 300,
  "clients": [{
    "clientId": "bessemer", "secret": "bessemer-secret", "enabled": true,
    "publicClient": false, "standardFlowEnabled": false, "serviceAccountsEnabled": true,
    "protocolMappers": [{
      "name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
      "config": { "included.client.audience": "bessemer", "access.token.claim": "true" }
    }]
  }]
}
JSON
}

wait_realm() {
  local tries=$((${1:-240} * 2)) url=http://$HOST:$PORT/realms/bessemer
  until curl -fs -o "$DIR/realm.json" "$url/.well-known/openid-configuration"; do
    is_alive || {
      tail -15 "$DIR/log" >&2
      die "ended at start (all of it: $DIR/log)"
    }
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || die "the realm is not served after ${1:-240} s"
    sleep 0.5
  done
}

locked keycloak install
if [ -z "${PORT:-}" ]; then
  echo "$NAME home=$KEYCLOAK"
  exit 0
fi
mkdir -p "$KEYCLOAK/data/import"
realm >"$DIR/bessemer-realm.json"
mv "$DIR/bessemer-realm.json" "$KEYCLOAK/data/import/"
export JAVA_OPTS_KC_HEAP="-Xms128m -Xmx512m" JAVA_OPTS_APPEND="-XX:TieredStopAtLevel=1"
spawn "$KEYCLOAK/bin/kc.sh" start-dev --http-host="$HOST" --http-port="$PORT" \
  --http-management-port="${MANAGEMENT_PORT:-$((PORT + 1))}" --cache=local --db=dev-mem \
  --import-realm --log-level=warn
wait_realm
echo "$NAME pid=$PID home=$KEYCLOAK token_url=http://$HOST:$PORT/realms/bessemer/protocol/openid-connect/token"
