#!/usr/bin/env bash
# The Java clients of Kafka 4.1 against `supyo broker`: console and performance clients, admin tools. Not part of `make test`: it needs a JVM and Kafka's jars.
# Usage: KAFKA_LIB=<directory of the jars> tests/broker/java_clients.sh [SUPYO]   (the jars: `supyo stack up kafka` downloads them)
set -uo pipefail
SUPYO=${1:-build/release/supyo}
LIB=${KAFKA_LIB:?a directory with the jars of Kafka 4.1}
WORK=$(mktemp -d)
"$SUPYO" broker --data "$WORK/data" --listen 127.0.0.1:0 --config group.initial.rebalance.delay.ms=0 >"$WORK/broker.log" 2>&1 &
BROKER=$!
trap 'kill $BROKER 2>/dev/null; wait $BROKER 2>/dev/null; rm -rf "$WORK"' EXIT
for _ in $(seq 100); do grep -q 'broker at' "$WORK/broker.log" && break; sleep 0.1; done
B=$(sed -nE 's/^broker at ([^,]+),.*/\1/p' "$WORK/broker.log")
printf 'rootLogger.level=WARN\nappender.c.type=Console\nappender.c.name=C\nappender.c.target=SYSTEM_ERR\nappender.c.layout.type=PatternLayout\nappender.c.layout.pattern=%%p %%m%%n\nrootLogger.appenderRef.c.ref=C\n' >"$WORK/log4j2.properties"
passed=0 failed=0
kafka() { timeout 60 java -XX:TieredStopAtLevel=1 -Xmx256m -Dlog4j2.configurationFile="file:$WORK/log4j2.properties" -cp "$LIB/*" "$@"; }
try() {  # name, what must be in the output, command
  local name=$1 want=$2 out
  shift 2
  out=$("$@" 2>&1)
  if grep -qE -- "$want" <<<"$out"; then passed=$((passed + 1)); echo "fine: $name"; else failed=$((failed + 1)); echo "FAILED: $name"; tail -n 15 <<<"$out"; fi
}
T=org.apache.kafka.tools
try "create a topic" "Created topic jt" kafka $T.TopicCommand --bootstrap-server "$B" --create --topic jt --partitions 3 --config retention.ms=3600000
try "describe it" "PartitionCount: 3.*retention.ms=3600000" kafka $T.TopicCommand --bootstrap-server "$B" --describe --topic jt
produce() { seq 1 100 | kafka $T.ConsoleProducer --bootstrap-server "$B" --topic jt; echo "rc $?"; }
try "console producer" "rc 0" produce
consume() { kafka $T.consumer.ConsoleConsumer --bootstrap-server "$B" --topic jt --from-beginning --group jg --max-messages 100 --timeout-ms 30000; }
try "console consumer" "Processed a total of 100 messages" consume
try "group offsets" "jg +jt +[0-2] +[0-9]+" kafka $T.consumer.group.ConsumerGroupCommand --bootstrap-server "$B" --describe --group jg
try "groups" "^jg" kafka $T.consumer.group.ConsumerGroupCommand --bootstrap-server "$B" --list
try "end offsets" "jt:0:[0-9]+" kafka $T.GetOffsetShell --bootstrap-server "$B" --topic jt
try "producer performance" "20000 records sent" kafka $T.ProducerPerformance --topic jt --num-records 20000 --record-size 1024 --throughput -1 --producer-props bootstrap.servers="$B" acks=all
try "transactional performance" "2000 records sent" kafka $T.ProducerPerformance --topic jt --num-records 2000 --record-size 100 --throughput -1 --transactional-id jx --transaction-duration-ms 100 --producer-props bootstrap.servers="$B"
try "consumer performance" "^[0-9-]+ [0-9:]+, .*, 2[0-9]+\.|, 2[0-9]{4}," kafka $T.ConsumerPerformance --bootstrap-server "$B" --topic jt --messages 20000 --group jp
try "alter a config" "Completed updating config for topic jt" kafka kafka.admin.ConfigCommand --bootstrap-server "$B" --alter --entity-type topics --entity-name jt --add-config retention.bytes=5000000
try "describe configs" "retention.bytes=5000000" kafka kafka.admin.ConfigCommand --bootstrap-server "$B" --describe --entity-type topics --entity-name jt
try "verifiable producer and consumer" '"sent":500' kafka $T.VerifiableProducer --bootstrap-server "$B" --topic jt --max-messages 500 --acks -1
try "transactions" "jx" kafka $T.TransactionsCommand --bootstrap-server "$B" list
try "log directories" '"partition":"jt-0"' kafka $T.LogDirsCommand --bootstrap-server "$B" --describe
try "delete the topic" "deleted 0" bash -c "timeout 60 java -Xmx256m -Dlog4j2.configurationFile=file:$WORK/log4j2.properties -cp '$LIB/*' $T.TopicCommand --bootstrap-server $B --delete --topic jt; echo deleted \$?"
echo "java clients: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
