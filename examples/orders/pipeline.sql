-- Orders, each with the region and grade that its user had when it was placed, then counts and sums per grade and minute. The table of users is a stream of changes, as
-- Debezium writes them.
--   supyo gen user --tps 5 --count 3000 --keys 500 --disorder 2s --to embedded:/tmp/orders/log/users
--   supyo gen order --tps 50 --count 30000 --keys 520 --disorder 2s --to embedded:/tmp/orders/log/orders
--   supyo run examples/orders/pipeline.sql --var DATA=/tmp/orders --state /tmp/orders/state

SET 'execution.checkpointing.interval' = '1 s';
SET 'table.exec.source.idle-timeout' = '5 s';   -- nobody moves at night: orders do not wait for the next one who does

CREATE TABLE orders (
  order_id    BIGINT,
  user_id     BIGINT,
  amount      BIGINT,
  event_time  TIMESTAMP(3),
  ingest_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '2' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'orders',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'properties.group.id' = 'enrichment',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

-- What Debezium says of a row: how it was, how it is, and whether it is new.
CREATE TABLE user_changes (
  `after` ROW<user_id BIGINT, region STRING, grade STRING, changed TIMESTAMP(3)>,
  op      STRING,
  changed AS `after`.changed,
  WATERMARK FOR changed AS changed - INTERVAL '2' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'users',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'properties.group.id' = 'enrichment',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

-- Every change is a version of its user, from the time of the change on.
CREATE TEMPORARY VIEW users AS
SELECT user_id, region, grade, changed
FROM (
  SELECT user_id, region, grade, changed, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY changed DESC) AS n
  FROM (SELECT `after`.user_id AS user_id, `after`.region AS region, `after`.grade AS grade, changed FROM user_changes))
WHERE n = 1;

CREATE TABLE by_grade (
  grade        STRING,
  window_start TIMESTAMP(3),
  orders       BIGINT,
  amount       BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = 'orders-by-grade',
  'properties.bootstrap.servers' = 'embedded:${DATA}/log',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

INSERT INTO by_grade
SELECT grade, window_start, COUNT(*), SUM(amount)
FROM TABLE(TUMBLE(
  (SELECT COALESCE(u.grade, 'unknown') AS grade, o.amount, o.event_time
   FROM orders AS o
   LEFT JOIN users FOR SYSTEM_TIME AS OF o.event_time AS u ON o.user_id = u.user_id),
  DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY grade, window_start, window_end;
