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
  'topic' = '${PREFIX}orders',
  'properties.bootstrap.servers' = '${SERVERS}',
  'properties.group.id' = '${PREFIX}job',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE appended (
  event_id BIGINT,
  amount   BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = '${PREFIX}appended',
  'properties.bootstrap.servers' = '${SERVERS}',
  'sink.delivery-guarantee' = '${delivery}',
  'sink.transactional-id-prefix' = '${PREFIX}appended',
  'properties.transaction.timeout.ms' = '600000',
  'format' = 'json'
);

CREATE TABLE transacted (
  event_id BIGINT,
  amount   BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = '${PREFIX}transacted',
  'properties.bootstrap.servers' = '${SERVERS}',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = '${PREFIX}transacted',
  'properties.transaction.timeout.ms' = '600000',
  'format' = 'json'
);

CREATE TABLE windows (
  window_start TIMESTAMP(3),
  orders       BIGINT,
  PRIMARY KEY (window_start) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = '${PREFIX}windows',
  'properties.bootstrap.servers' = '${SERVERS}',
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
