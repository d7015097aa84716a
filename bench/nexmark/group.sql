-- Bids of each auction so far.
CREATE TABLE out_group (auction BIGINT, num BIGINT, PRIMARY KEY (auction) NOT ENFORCED) WITH ('connector' = 'blackhole');
INSERT INTO out_group
SELECT auction, COUNT(*) FROM bid GROUP BY auction;
