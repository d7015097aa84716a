-- Orders, each with a version of its user, three times: with the newest that has come, with the one of the order's time as soon as the table's watermark says that it is known, and the
-- same with a watermark that waits ${wait} s for changes.
CREATE TABLE orders (
  order_id   BIGINT,
  user_id    BIGINT,
  event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time
) WITH (
  'connector' = 'kafka',
  'topic' = '${PREFIX}orders',
  'properties.bootstrap.servers' = '${SERVERS}',
  'properties.group.id' = '${PREFIX}job',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

-- The changes of the table of users as Debezium writes them, and again for a reader who expects them late.
CREATE TABLE changes (
  `after` ROW<user_id BIGINT, grade STRING, changed TIMESTAMP(3)>,
  changed AS `after`.changed,
  WATERMARK FOR changed AS changed - INTERVAL '${bound}' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = '${PREFIX}users',
  'properties.bootstrap.servers' = '${SERVERS}',
  'properties.group.id' = '${PREFIX}job',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE changes_waited_for (
  `after` ROW<user_id BIGINT, grade STRING, changed TIMESTAMP(3)>,
  changed AS `after`.changed,
  WATERMARK FOR changed AS changed - INTERVAL '${wait}' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = '${PREFIX}users',
  'properties.bootstrap.servers' = '${SERVERS}',
  'properties.group.id' = '${PREFIX}job-waiting',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

-- Every change is a version of its user, from its own time on.
CREATE TEMPORARY VIEW users AS
SELECT user_id, grade, changed
FROM (
  SELECT user_id, grade, changed, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY changed DESC) AS n
  FROM (SELECT `after`.user_id AS user_id, `after`.grade AS grade, changed FROM changes))
WHERE n = 1;

CREATE TEMPORARY VIEW users_waited_for AS
SELECT user_id, grade, changed
FROM (
  SELECT user_id, grade, changed, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY changed DESC) AS n
  FROM (SELECT `after`.user_id AS user_id, `after`.grade AS grade, changed FROM changes_waited_for))
WHERE n = 1;

-- A row of this table is replaced whenever its user changes: the join keeps both sides, and no history.
CREATE TABLE newest (
  order_id BIGINT,
  user_id  BIGINT,
  grade    STRING,
  changed  TIMESTAMP(3),
  PRIMARY KEY (order_id) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = '${PREFIX}newest',
  'properties.bootstrap.servers' = '${SERVERS}',
  'key.format' = 'json',
  'value.format' = 'json'
);

CREATE TABLE as_of (
  order_id BIGINT,
  user_id  BIGINT,
  grade    STRING,
  changed  TIMESTAMP(3)
) WITH (
  'connector' = 'kafka',
  'topic' = '${PREFIX}as-of',
  'properties.bootstrap.servers' = '${SERVERS}',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE waited (
  order_id BIGINT,
  user_id  BIGINT,
  grade    STRING,
  changed  TIMESTAMP(3)
) WITH (
  'connector' = 'kafka',
  'topic' = '${PREFIX}waited',
  'properties.bootstrap.servers' = '${SERVERS}',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

EXECUTE STATEMENT SET BEGIN

INSERT INTO newest
SELECT o.order_id, o.user_id, u.grade, u.changed FROM orders AS o LEFT JOIN users AS u ON o.user_id = u.user_id;

INSERT INTO as_of
SELECT o.order_id, o.user_id, u.grade, u.changed FROM orders AS o LEFT JOIN users FOR SYSTEM_TIME AS OF o.event_time AS u ON o.user_id = u.user_id;

INSERT INTO waited
SELECT o.order_id, o.user_id, u.grade, u.changed FROM orders AS o LEFT JOIN users_waited_for FOR SYSTEM_TIME AS OF o.event_time AS u ON o.user_id = u.user_id;

END;
