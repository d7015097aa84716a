-- A year of real flights (336,776, New York, 2013) as a stream in order of actual departure, summed per airport and hour of *scheduled*
-- departure: event time that comes disordered, late, and sometimes ahead.
--
-- supyo run examples/flights/pipeline.sql --var DATA=build/flights --slo examples/flights/slo.yaml --replay departure --state build/flights/state

CREATE TABLE flights (
  origin    STRING,
  dest      STRING,
  carrier   STRING,
  flight    INT,
  tailnum   STRING,
  scheduled TIMESTAMP(3),
  departure TIMESTAMP(3) NOT NULL,  -- cancelled flights have none: they become dead rows, readable in `flights$dead`
  dep_delay INT,
  WATERMARK FOR scheduled AS scheduled - INTERVAL '4' HOUR
) WITH (
  'connector' = 'filesystem',
  'path' = '${DATA}/flights.csv',
  'format' = 'csv',
  'csv.null-literal' = ''
);

SET 'execution.checkpointing.interval' = '1 d';  -- of replayed time: one commit a day

CREATE CATALOG lake WITH ('type' = 'iceberg', 'catalog-type' = 'hadoop', 'warehouse' = '${DATA}/warehouse');
CREATE DATABASE IF NOT EXISTS lake.air;
CREATE TABLE IF NOT EXISTS lake.air.departures (
  origin       STRING,
  window_start TIMESTAMP(3),
  window_end   TIMESTAMP(3),
  flights      BIGINT,
  delay_sum    BIGINT,   -- minutes
  delay_max    INT
);

INSERT INTO lake.air.departures
SELECT origin, window_start, window_end, COUNT(*), SUM(CAST(dep_delay AS BIGINT)), MAX(dep_delay)
FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(scheduled), INTERVAL '1' HOUR))
WHERE departure IS NOT NULL
GROUP BY origin, window_start, window_end;
