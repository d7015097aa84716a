-- Orders, each with the region that its user had when it was placed, then counts and sums per region and minute. Users move: their table is a stream of changes, and
-- every change is a version of its user.
-- ${DATA} is the directory with orders.csv and users.csv:
--   build/venv/bin/python tests/e2e/orders.py --only-data /tmp/orders
--   supyo run examples/orders/pipeline.sql --var DATA=/tmp/orders

CREATE TABLE orders (
  order_id BIGINT,
  user_id  BIGINT,
  amount   BIGINT,
  placed   TIMESTAMP(3),
  WATERMARK FOR placed AS placed - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = '${DATA}/orders.csv', 'format' = 'csv');

CREATE TABLE users (
  user_id BIGINT,
  region  STRING,
  changed TIMESTAMP(3),
  WATERMARK FOR changed AS changed - INTERVAL '5' SECOND,
  PRIMARY KEY (user_id) NOT ENFORCED
) WITH ('connector' = 'filesystem', 'path' = '${DATA}/users.csv', 'format' = 'csv');

CREATE TABLE by_region (
  region       STRING,
  minute_start TIMESTAMP(3),
  orders       BIGINT,
  amount       BIGINT
) WITH ('connector' = 'filesystem', 'path' = '${DATA}/by_region', 'format' = 'csv');

INSERT INTO by_region
SELECT region, window_start, COUNT(*), SUM(amount)
FROM TABLE(TUMBLE(
  (SELECT COALESCE(u.region, 'unknown') AS region, o.amount, o.placed
   FROM orders AS o
   LEFT JOIN users FOR SYSTEM_TIME AS OF o.placed AS u ON o.user_id = u.user_id),
  DESCRIPTOR(placed), INTERVAL '1' MINUTE))
GROUP BY region, window_start, window_end;
