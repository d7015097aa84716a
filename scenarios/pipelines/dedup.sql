-- Dispatch events, sent at least once, each taken once: a key is remembered for the time of `table.exec.state.ttl` after its first event passed.
CREATE TABLE events (
  event_id    BIGINT,
  order_id    BIGINT,
  kind        STRING,
  event_time  TIMESTAMP(3),
  arrived AS PROCTIME()
) WITH (
  'connector' = 'kafka',
  'topic' = '${PREFIX}dispatch-events',
  'properties.bootstrap.servers' = '${SERVERS}',
  'properties.group.id' = '${PREFIX}job',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE dispatches (
  event_id   BIGINT,
  order_id   BIGINT,
  kind       STRING,
  event_time TIMESTAMP(3)
) WITH (
  'connector' = 'kafka',
  'topic' = '${PREFIX}dispatches',
  'properties.bootstrap.servers' = '${SERVERS}',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

INSERT INTO dispatches
SELECT event_id, order_id, kind, event_time
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY order_id, event_id ORDER BY arrived) AS n FROM events)
WHERE n = 1;
