-- What a batch run makes of the calls that came in its period: the same rule, by the minute.
CREATE TABLE requests (
  event_id   BIGINT,
  status     INT,
  event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '${bound}' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'requests',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'properties.group.id' = 'alarm-batch',
  'scan.startup.mode' = 'timestamp',
  'scan.startup.timestamp-millis' = '${from_ms}',
  'scan.bounded.mode' = 'timestamp',
  'scan.bounded.timestamp-millis' = '${to_ms}',
  'format' = 'json'
);

CREATE TABLE alarms (window_start TIMESTAMP(3), window_end TIMESTAMP(3), calls BIGINT, errors BIGINT) WITH (
  'connector' = 'kafka', 'topic' = '${BATCH}', 'properties.bootstrap.servers' = 'embedded:${OUT}/log', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json');

INSERT INTO alarms
SELECT window_start, window_end, COUNT(*), COUNT(*) FILTER (WHERE status >= 500)
FROM TABLE(TUMBLE(TABLE requests, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end
HAVING COUNT(*) >= 20 AND COUNT(*) FILTER (WHERE status >= 500) * 100 >= 5 * COUNT(*);
