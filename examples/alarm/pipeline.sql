-- The share of failed calls over five minutes, every minute, and an alarm where it is 5 % or more of at least 20 calls.
--   supyo gen request --live --tps 50 --disorder 2s --to embedded:/tmp/alarm/log/requests
--   supyo run examples/alarm/pipeline.sql --var DATA=/tmp/alarm --state /tmp/alarm/state --slo examples/alarm/slo.yaml --serve

SET 'execution.checkpointing.interval' = '1 s';

CREATE TABLE requests (
  event_id    BIGINT,
  service     STRING,
  status      INT,
  duration_ms BIGINT,
  event_time  TIMESTAMP(3),
  ingest_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '2' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'requests',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'properties.group.id' = 'alarm',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE error_rate (
  window_start TIMESTAMP(3),
  window_end   TIMESTAMP(3),
  service      STRING,
  calls        BIGINT,
  errors       BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = 'error-rate',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE alarms (
  window_start TIMESTAMP(3),
  window_end   TIMESTAMP(3),
  service      STRING,
  calls        BIGINT,
  errors       BIGINT,
  message      STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'alarms',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TEMPORARY VIEW rates AS
SELECT window_start, window_end, service, COUNT(*) AS calls, COUNT(*) FILTER (WHERE status >= 500) AS errors
FROM TABLE(HOP(TABLE requests, DESCRIPTOR(event_time), INTERVAL '1' MINUTE, INTERVAL '5' MINUTES))
GROUP BY window_start, window_end, service;

EXECUTE STATEMENT SET BEGIN

INSERT INTO error_rate SELECT window_start, window_end, service, calls, errors FROM rates;

INSERT INTO alarms
SELECT window_start, window_end, service, calls, errors,
  service || ': ' || CAST(errors AS STRING) || ' of ' || CAST(calls AS STRING) || ' calls failed until ' || DATE_FORMAT(window_end, 'HH:mm')
FROM rates
WHERE calls >= 20 AND errors * 100 >= 5 * calls;

END;
