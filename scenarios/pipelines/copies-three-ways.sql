-- The same orders three ways: as they come in no transaction (append), with each checkpoint (transactional), and counted by window into a topic by key (upsert), which is written in no
-- transaction either, but where a count that is written again replaces itself.
CREATE TABLE orders (
  event_id    BIGINT,
  region      STRING,
  amount      BIGINT,
  event_time  TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '${spread_s}' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'orders',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'properties.group.id' = 'three-ways',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE appended (
  event_id BIGINT,
  amount   BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = 'appended',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'sink.delivery-guarantee' = '${delivery}',
  'format' = 'json'
);

CREATE TABLE transacted (
  event_id BIGINT,
  amount   BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = 'transacted',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'sink.delivery-guarantee' = 'exactly-once',
  'format' = 'json'
);

CREATE TABLE windows (
  window_start TIMESTAMP(3),
  orders       BIGINT,
  PRIMARY KEY (window_start) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'windows',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'sink.delivery-guarantee' = 'at-least-once',
  'key.format' = 'json',
  'value.format' = 'json'
);

EXECUTE STATEMENT SET BEGIN

INSERT INTO appended SELECT event_id, amount FROM orders;

INSERT INTO transacted SELECT event_id, amount FROM orders;

INSERT INTO windows
SELECT window_start, COUNT(*)
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '${window_s}' SECOND))
GROUP BY window_start, window_end;

END;
