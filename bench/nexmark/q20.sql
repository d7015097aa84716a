-- Bids with their auctions, of one category.
CREATE TABLE out20 (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, bid_dateTime TIMESTAMP(3), bid_extra STRING, itemName STRING, description STRING, initialBid BIGINT,
                    reserve BIGINT, auction_dateTime TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, auction_extra STRING) WITH ('connector' = 'blackhole');
INSERT INTO out20
SELECT auction, bidder, price, channel, url, b.`dateTime` AS bid_dateTime, b.extra AS bid_extra, itemName, description, initialBid, reserve, a.`dateTime` AS auction_dateTime, expires, seller, category,
       a.extra AS auction_extra
FROM bid AS b JOIN auction AS a ON b.auction = a.id
WHERE a.category = 10;
