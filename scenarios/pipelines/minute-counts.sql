-- Orders counted by minute, over all partitions of the topic: a window is given out once every partition has passed its end, or is idle.
CREATE TABLE orders (
  event_id    BIGINT,
  region      STRING,
  amount      BIGINT,
  event_time  TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '${bound_s}' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = '${PREFIX}orders',
  'properties.bootstrap.servers' = '${SERVERS}',
  'properties.group.id' = '${PREFIX}job',
  'scan.startup.mode' = 'earliest-offset',
  'scan.watermark.emit.strategy' = '${strategy}',
  'format' = 'json'
);

CREATE TABLE minutes (
  window_start TIMESTAMP(3),
  orders       BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = '${PREFIX}minutes',
  'properties.bootstrap.servers' = '${SERVERS}',
  'format' = 'json'
);

INSERT INTO minutes
SELECT window_start, COUNT(*)
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '${window_s}' SECOND))
GROUP BY window_start, window_end;
