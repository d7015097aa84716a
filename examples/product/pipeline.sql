-- Product changes (price, stock, status, category) -> the previous price and stock of each product -> an Iceberg table.
-- ${DATA} is the directory that holds the log and the warehouse:
--   supyo gen product --tps 2000 --count 100000 --disorder 1s --to embedded:/tmp/product/log/product-events
--   supyo run examples/product/pipeline.sql --var DATA=/tmp/product --slo examples/product/slo.yaml

SET 'execution.checkpointing.interval' = '3s';

CREATE TABLE product_events (
  event_id    BIGINT,
  kind        STRING,
  product_id  STRING,
  old_value   STRING,
  new_value   STRING,
  price       BIGINT,
  stock       BIGINT,
  event_time  TIMESTAMP(3),
  ingest_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '1' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'product-events',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'properties.group.id' = 'product-pipeline',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE CATALOG lake WITH (
  'type' = 'iceberg',
  'catalog-type' = 'hadoop',
  'warehouse' = '${DATA}/warehouse'
);

CREATE DATABASE IF NOT EXISTS lake.shop;

CREATE TABLE IF NOT EXISTS lake.shop.product_changes (
  event_id       BIGINT,
  product_id     STRING,
  kind           STRING,
  old_value      STRING,
  new_value      STRING,
  price          BIGINT,
  stock          BIGINT,
  previous_price BIGINT,
  previous_stock BIGINT,
  event_time     TIMESTAMP(3),
  ingest_time    TIMESTAMP(3)
);

INSERT INTO lake.shop.product_changes
SELECT
  event_id,
  product_id,
  kind,
  old_value,
  new_value,
  price,
  stock,
  LAG(price) OVER (PARTITION BY product_id ORDER BY event_time) AS previous_price,
  LAG(stock) OVER (PARTITION BY product_id ORDER BY event_time) AS previous_stock,
  event_time,
  ingest_time
FROM product_events;
