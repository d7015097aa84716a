-- Orders counted by region and minute, as they come: the smallest pipeline that is of use.
-- ${DATA} is the directory that holds the log:
--   supyo gen order --live --tps 200 --disorder 2s --to embedded:/tmp/region-orders/log/orders
--   supyo run examples/region-orders/pipeline.sql --var DATA=/tmp/region-orders --state /tmp/region-orders/state --slo examples/region-orders/slo.yaml --serve
-- The counts are a topic; read along:
--   supyo sql -e "$(sed -n '/CREATE TABLE by_region/,/;/p' examples/region-orders/pipeline.sql | sed 's|${DATA}|/tmp/region-orders|') SELECT * FROM by_region"

SET 'execution.checkpointing.interval' = '1 s';

CREATE TABLE orders (
  event_id    BIGINT,
  order_id    BIGINT,
  user_id     BIGINT,
  region      STRING,
  amount      BIGINT,
  event_time  TIMESTAMP(3),
  ingest_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '2' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'orders',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'properties.group.id' = 'region-orders',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE by_region (
  window_start TIMESTAMP(3),
  region       STRING,
  orders       BIGINT,
  amount       BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = 'orders-by-region',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

INSERT INTO by_region
SELECT window_start, region, COUNT(*), SUM(amount)
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, region;
