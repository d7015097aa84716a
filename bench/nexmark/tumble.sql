-- Bids of each auction in 10 seconds.
CREATE TABLE out_tumble (auction BIGINT, num BIGINT, starttime TIMESTAMP(3)) WITH ('connector' = 'blackhole');
INSERT INTO out_tumble
SELECT auction, COUNT(*), window_start FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND)) GROUP BY auction, window_start, window_end;
