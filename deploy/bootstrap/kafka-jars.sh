#!/bin/sh
# Write services/cli/local/kafka-jars.txt anew: Kafka's runtime jars with their sha256.
#
# In: Maven, a Kafka version. Out: one line for each jar, `group:artifact:version sha256`.
#
#     deploy/bootstrap/kafka-jars.sh [4.3.1]
set -eu
cd "$(dirname "$0")/../.."
list=$PWD/services/cli/local/kafka-jars.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# slf4j-simple: Kafka's own POM brings no logger; 1.7 because Kafka speaks that version.
cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>leadscore</groupId><artifactId>kafka-jars</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${1:-4.3.1}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
POM
mvn -q -B -f "$work/pom.xml" dependency:list -DincludeScope=runtime "-DoutputFile=$work/list.txt"
mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$work/jars"
sed -n 's/^ *\([^:]*\):\([^:]*\):jar:\([^:]*\):.*/\1 \2 \3/p' "$work/list.txt" | LC_ALL=C sort |
    while read -r group artifact version; do
        sha256=$(sha256sum "$work/jars/$artifact-$version.jar")
        echo "$group:$artifact:$version ${sha256%% *}"
    done >"$work/kafka-jars.txt"
mv "$work/kafka-jars.txt" "$list"
chmod 644 "$list"
