-- Orders counted by minute and region. A row that comes after its minute was given out changes the count for `allowed` more, and goes to `orders$late` after that
-- (Flink drops it). Grouped windows and no table function: Flink has the lateness for these alone.
SET 'table.local-time-zone' = 'UTC';
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
  'topic' = '${PREFIX}orders',
  'properties.bootstrap.servers' = '${SERVERS}',
  'properties.group.id' = '${PREFIX}job',
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
  'topic' = '${PREFIX}minutes',
  'properties.bootstrap.servers' = '${SERVERS}',
  'key.format' = 'json',
  'value.format' = 'json'
);

-- The same by a consumer that has its own clock and no watermark: it gives its count out with every record, and marks what came when readers had taken the minute for complete.
CREATE TABLE marked (
  window_start TIMESTAMP(3),
  region       STRING,
  orders       BIGINT,
  stale        BOOLEAN,
  PRIMARY KEY (window_start, region) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = '${PREFIX}marked',
  'properties.bootstrap.servers' = '${SERVERS}',
  'key.format' = 'json',
  'value.format' = 'json'
);

EXECUTE STATEMENT SET BEGIN
INSERT INTO minutes
SELECT TUMBLE_START(event_time, INTERVAL '${window_s}' SECOND), region, COUNT(*)
FROM orders
GROUP BY TUMBLE(event_time, INTERVAL '${window_s}' SECOND), region;

INSERT INTO marked
SELECT CAST(FROM_UNIXTIME(start_s) AS TIMESTAMP(3)), region, COUNT(*), MAX(late) = 1
FROM (
  SELECT region, s - MOD(s, ${window_s}) AS start_s, CASE WHEN UNIX_TIMESTAMP() >= s - MOD(s, ${window_s}) + ${window_s} + ${bound_s} THEN 1 ELSE 0 END AS late
  FROM (SELECT region, UNIX_TIMESTAMP(CAST(event_time AS STRING)) AS s FROM orders)
)
GROUP BY start_s, region;
END;
