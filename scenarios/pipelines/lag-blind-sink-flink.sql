-- examples/product/pipeline.sql as a real Flink runs it: the same statements. What differs is where things are: brokers and topics of the lab, and beneath the tables a store that the lab
-- can make slow (scenarios/flink/SlowStore.java; Iceberg's own store as long as it does not).

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
  'topic' = '${PREFIX}product-events',
  'properties.bootstrap.servers' = '${SERVERS}',
  'properties.group.id' = '${PREFIX}job',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE CATALOG lake WITH (
  'type' = 'iceberg',
  'catalog-type' = 'hadoop',
  'warehouse' = 'file://${DATA}/warehouse',
  'io-impl' = 'SlowStore',
  'slow.directory' = '${DATA}/slow'
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
