-- Alarms at an error rate of 5 % of at least 20 calls: in windows of a minute, and of five minutes that slide by one (or as the knobs say), by the calls' own time and by the clock.
CREATE TABLE requests (
  event_id   BIGINT,
  status     INT,
  event_time TIMESTAMP(3),
  arrived AS PROCTIME(),
  WATERMARK FOR event_time AS event_time - INTERVAL '${bound}' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = '${PREFIX}requests',
  'properties.bootstrap.servers' = '${SERVERS}',
  'properties.group.id' = '${OUT_PREFIX}job',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE tumbling (window_start TIMESTAMP(3), window_end TIMESTAMP(3), calls BIGINT, errors BIGINT) WITH (
  'connector' = 'kafka', 'topic' = '${OUT_PREFIX}tumbling', 'properties.bootstrap.servers' = '${OUT_SERVERS}', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE sliding (window_start TIMESTAMP(3), window_end TIMESTAMP(3), calls BIGINT, errors BIGINT) WITH (
  'connector' = 'kafka', 'topic' = '${OUT_PREFIX}sliding', 'properties.bootstrap.servers' = '${OUT_SERVERS}', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE by_the_clock (window_start TIMESTAMP(3), window_end TIMESTAMP(3), calls BIGINT, errors BIGINT) WITH (
  'connector' = 'kafka', 'topic' = '${OUT_PREFIX}by-the-clock', 'properties.bootstrap.servers' = '${OUT_SERVERS}', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json');

EXECUTE STATEMENT SET BEGIN

INSERT INTO tumbling
SELECT window_start, window_end, COUNT(*), COUNT(*) FILTER (WHERE status >= 500)
FROM TABLE(TUMBLE(TABLE requests, DESCRIPTOR(event_time), INTERVAL '${tumble_s}' SECOND))
GROUP BY window_start, window_end
HAVING COUNT(*) >= 20 AND COUNT(*) FILTER (WHERE status >= 500) * 100 >= 5 * COUNT(*);

INSERT INTO sliding
SELECT window_start, window_end, COUNT(*), COUNT(*) FILTER (WHERE status >= 500)
FROM TABLE(HOP(TABLE requests, DESCRIPTOR(event_time), INTERVAL '${slide_s}' SECOND, INTERVAL ${sliding}))
GROUP BY window_start, window_end
HAVING COUNT(*) >= 20 AND COUNT(*) FILTER (WHERE status >= 500) * 100 >= 5 * COUNT(*);

INSERT INTO by_the_clock
SELECT window_start, window_end, COUNT(*), COUNT(*) FILTER (WHERE status >= 500)
FROM TABLE(TUMBLE(TABLE requests, DESCRIPTOR(arrived), INTERVAL '${tumble_s}' SECOND))
GROUP BY window_start, window_end
HAVING COUNT(*) >= 20 AND COUNT(*) FILTER (WHERE status >= 500) * 100 >= 5 * COUNT(*);

END;
