-- Auctions with the most bids of the last 10 seconds, every 2 seconds.
CREATE TABLE out5 (auction BIGINT, num BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO out5
SELECT counted.auction, counted.num
FROM (
  SELECT auction, COUNT(*) AS num, window_start AS starttime, window_end AS endtime
  FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
  GROUP BY auction, window_start, window_end
) AS counted
JOIN (
  SELECT MAX(counted.num) AS maxn, counted.starttime, counted.endtime
  FROM (
    SELECT COUNT(*) AS num, window_start AS starttime, window_end AS endtime
    FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
    GROUP BY auction, window_start, window_end
  ) AS counted
  GROUP BY counted.starttime, counted.endtime
) AS hottest
ON counted.starttime = hottest.starttime AND counted.endtime = hottest.endtime AND counted.num >= hottest.maxn;
