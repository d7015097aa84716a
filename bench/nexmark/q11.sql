-- Bids of each person, as long as pauses are below 10 seconds.
CREATE TABLE out11 (bidder BIGINT, bid_count BIGINT, starttime TIMESTAMP(3), endtime TIMESTAMP(3)) WITH ('connector' = 'blackhole');
INSERT INTO out11
SELECT b.bidder, COUNT(*) AS bid_count, SESSION_START(b.`dateTime`, INTERVAL '10' SECOND) AS starttime, SESSION_END(b.`dateTime`, INTERVAL '10' SECOND) AS endtime
FROM bid AS b
GROUP BY b.bidder, SESSION(b.`dateTime`, INTERVAL '10' SECOND);
