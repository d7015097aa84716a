-- Every bid as it is.
CREATE TABLE out0 (auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), extra STRING) WITH ('connector' = 'blackhole');
INSERT INTO out0
SELECT auction, bidder, price, `dateTime`, extra FROM bid;
