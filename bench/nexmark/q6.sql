-- Average of each seller's last winning prices: that of an auction and of the ten before it.
CREATE TABLE out6 (seller BIGINT, final BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO out6
SELECT won.seller, AVG(won.final) OVER (PARTITION BY won.seller ORDER BY won.`dateTime` ROWS BETWEEN 10 PRECEDING AND CURRENT ROW)
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY id, seller ORDER BY final DESC) AS place
  FROM (
    SELECT a.id, a.seller, b.price AS final, b.`dateTime`
    FROM auction AS a, bid AS b
    WHERE a.id = b.auction AND b.`dateTime` BETWEEN a.`dateTime` AND a.expires
  )
) AS won
WHERE won.place <= 1;
