-- Dispatch events, sent at least once: each is taken once, and counted in the time at which the rider was asked, up to five minutes late.
--   supyo gen dispatch --live --tps 100 --duplicates 0.02 --late 0.01 --disorder 10s --resend --to embedded:/tmp/dispatch/log/dispatch-events
--   supyo run examples/dispatch/pipeline.sql --var DATA=/tmp/dispatch --state /tmp/dispatch/state --slo examples/dispatch/slo.yaml --serve

SET 'execution.checkpointing.interval' = '1 s';
SET 'table.exec.state.ttl' = '1 h';                       -- how old a copy may be and still be known for one (lab dedup-horizon)
SET 'table.exec.emit.allow-lateness' = '5 min';           -- a minute's count is corrected for five minutes; what comes later is in `events$late`
SET 'table.exec.emit.late-fire.enabled' = 'true';
SET 'table.exec.emit.late-fire.delay' = '0 s';

CREATE TABLE events (
  event_id    BIGINT,
  order_id    BIGINT,
  kind        STRING,
  region      STRING,
  rider_id    BIGINT,
  event_time  TIMESTAMP(3),
  ingest_time TIMESTAMP(3),
  arrived AS PROCTIME(),
  WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'dispatch-events',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'properties.group.id' = 'dispatch',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

-- The idempotent consumer. Its key is the order *and* the event: a redispatch and a cancellation share the order with the request, and are no copies of it.
CREATE TABLE dispatches (
  order_id   BIGINT,
  event_id   BIGINT,
  kind       STRING,
  region     STRING,
  rider_id   BIGINT,
  event_time TIMESTAMP(3)
) WITH (
  'connector' = 'kafka',
  'topic' = 'dispatches',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

-- The same with the order alone for a key, as it is often written: what is missing here are good events.
CREATE TABLE dispatches_by_order_alone (
  order_id   BIGINT,
  event_id   BIGINT,
  kind       STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'dispatches-by-order-alone',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE by_region (
  window_start TIMESTAMP(3),
  region       STRING,
  requests     BIGINT,
  redispatches BIGINT,
  cancelled    BIGINT,
  PRIMARY KEY (window_start, region) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'dispatches-by-region',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'key.format' = 'json',
  'value.format' = 'json'
);

EXECUTE STATEMENT SET BEGIN

INSERT INTO dispatches
SELECT order_id, event_id, kind, region, rider_id, event_time
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY order_id, event_id ORDER BY arrived) AS n FROM events)
WHERE n = 1;

INSERT INTO dispatches_by_order_alone
SELECT order_id, event_id, kind
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY arrived) AS n FROM events)
WHERE n = 1;

INSERT INTO by_region
SELECT window_start, region, COUNT(*) FILTER (WHERE kind = 'REQUESTED'), COUNT(*) FILTER (WHERE kind = 'REDISPATCHED'), COUNT(*) FILTER (WHERE kind = 'CANCELLED')
FROM TABLE(TUMBLE(
  (SELECT kind, region, event_time FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY order_id, event_id ORDER BY arrived) AS n FROM events) WHERE n = 1),
  DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, region;

END;
