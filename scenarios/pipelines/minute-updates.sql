-- Orders counted by minute and region. A row that comes after its minute was given out changes the count for `allowed` more, and goes to `orders$late` after that.
SET 'table.exec.emit.allow-lateness' = '${allowed}';
SET 'table.exec.emit.late-fire.enabled' = '${late_fire}';
SET 'table.exec.emit.late-fire.delay' = '0 s';

CREATE TABLE orders (
  event_id    BIGINT,
  region      STRING,
  amount      BIGINT,
  event_time  TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '${bound_s}' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'orders',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'properties.group.id' = 'minutes',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE minutes (
  window_start TIMESTAMP(3),
  region       STRING,
  orders       BIGINT,
  PRIMARY KEY (window_start, region) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'minutes',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'key.format' = 'json',
  'value.format' = 'json'
);

INSERT INTO minutes
SELECT window_start, region, COUNT(*)
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '${window_s}' SECOND))
GROUP BY window_start, window_end, region;
