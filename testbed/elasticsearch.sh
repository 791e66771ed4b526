#!/usr/bin/env bash
# One real Elasticsearch node from the archives on Maven Central: the server and its HTTP module, the
# only parts published there, so without data streams, ingest pipelines, and security.
#   bash testbed/elasticsearch.sh                    installs it when missing, prints its folder
#   DIR=$PWD/x PORT=9200 bash testbed/elasticsearch.sh    starts it too
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
VERSION=9.5.3
HOME_DIR=$TB_CACHE/elasticsearch-$VERSION

# A java of this release or a newer one.
java_of() {
  local java release
  for java in "${JAVA_HOME:-/none}/bin/java" "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
    [ -x "$java" ] || continue
    release=$("$java" -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p')
    [ "${release:-0}" -ge "$1" ] && echo "$java" && return 0
  done
  die "needs a JDK of release $1 or newer"
}

# jars FOLDER GROUP:ARTIFACT   with everything that it needs at run time
jars() {
  local pom=$DIR/$(basename "$1").xml
  cat >"$pom" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>testbed</groupId><artifactId>testbed</artifactId><version>1</version>
<packaging>pom</packaging><dependencies><dependency><groupId>${2%:*}</groupId>
<artifactId>${2#*:}</artifactId><version>$VERSION</version></dependency></dependencies></project>
POM
  quiet maven.log mvn -q -B -f "$pom" -DincludeScope=runtime "-DoutputDirectory=$1" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies
}

install_server() {
  [ -e "$HOME_DIR/installed" ] && return 0
  apt_need mvn maven
  echo "$NAME: Elasticsearch $VERSION from Maven Central" >&2
  local module=$HOME_DIR/modules/transport-netty4
  mkdir -p "$module" "$HOME_DIR/lib" "$HOME_DIR/launcher"
  jars "$HOME_DIR/lib" org.elasticsearch:elasticsearch
  jars "$DIR/netty" org.elasticsearch.plugin:transport-netty4
  cp "$DIR"/netty/{netty-,transport-netty4,elasticsearch-ssl-config}*.jar "$module/"
  printf '%s\n' name=transport-netty4 description=HTTP "version=$VERSION" \
    "elasticsearch.version=$VERSION" java.version=21 \
    classname=org.elasticsearch.transport.netty4.Netty4Plugin >"$module/plugin-descriptor.properties"
  cat >"$HOME_DIR/launcher/Launcher.java" <<'JAVA'
import java.util.Map;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

public class Launcher {
  public static void main(String[] pairs) throws Exception {
    LogConfigurator.configureESLogging();
    var settings = Settings.builder();
    for (String pair : pairs) {
      String[] parts = pair.split("=", 2);
      settings.put(parts[0], parts[1]);
    }
    var environment =
        InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), null, () -> "one");
    var modules = PluginsLoader.loadModulesBundles(environment.modulesDir(), true);
    var plugins = PluginsLoader.loadPluginsBundles(environment.pluginsDir(), true);
    new Node(environment, PluginsLoader.createPluginsLoader(modules, plugins, Map.of())).start();
    Thread.currentThread().join();
  }
}
JAVA
  quiet javac.log "$(dirname "$JAVA")/javac" -nowarn -cp "$HOME_DIR/lib/*" \
    -d "$HOME_DIR/launcher" "$HOME_DIR/launcher/Launcher.java"
  touch "$HOME_DIR/installed"
}

start_server() {
  local lib=$HOME_DIR/lib native=org.elasticsearch.nativeaccess,org.elasticsearch.foreign.adapter
  mkdir -p "$DIR"/{config,modules,plugins,lib}
  cp -r "$HOME_DIR/modules/." "$DIR/modules/"
  printf '%s\n' status=error appender.console.type=Console appender.console.name=console \
    appender.console.layout.type=PatternLayout 'appender.console.layout.pattern=%d %p %c{1.} %m%n' \
    rootLogger.level=warn rootLogger.appenderRef.console.ref=console >"$DIR/config/log4j2.properties"
  cd "$DIR"
  spawn "$JAVA" -Xms512m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    --add-modules jdk.incubator.vector,ALL-MODULE-PATH --module-path "$lib" \
    "--enable-native-access=ALL-UNNAMED,org.apache.lucene.core,$native" \
    -Dlog4j2.configurationFile="$DIR/config/log4j2.properties" -Des.distribution.type=tar \
    -Des.nativelibs.path= -cp "$HOME_DIR/launcher" Launcher "path.home=$DIR" \
    cluster.name=testbed node.name=one "network.host=$HOST" "http.port=$PORT" \
    "transport.port=${TRANSPORT_PORT:-0}" discovery.type=single-node node.processors=1 \
    cluster.routing.allocation.disk.threshold_enabled=false
  wait_tcp "$PORT" 180
  echo "$NAME pid=$PID port=$PORT dir=$DIR home=$HOME_DIR"
}

JAVA=$(java_of 21)
locked elasticsearch install_server
if [ -n "${PORT:-}" ]; then start_server; else echo "$NAME home=$HOME_DIR"; fi
