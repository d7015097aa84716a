-- Orders as they come, with the region's name in upper case: one row for each order, so that what is missing or repeated is found by its id.
CREATE TABLE orders (
  event_id    BIGINT,
  region      STRING,
  amount      BIGINT,
  event_time  TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '2' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = '${PREFIX}orders',
  'properties.bootstrap.servers' = '${SERVERS}',
  'properties.group.id' = '${PREFIX}job',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE copies (
  event_id BIGINT,
  region   STRING,
  amount   BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = '${PREFIX}copies',
  'properties.bootstrap.servers' = '${SERVERS}',
  'sink.delivery-guarantee' = '${delivery}',
  'sink.transactional-id-prefix' = '${PREFIX}copies',
  'properties.transaction.timeout.ms' = '600000',
  'format' = 'json'
);

INSERT INTO copies SELECT event_id, UPPER(region), amount FROM orders;
