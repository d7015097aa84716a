-- Average of the winning prices of each category.
CREATE TABLE out4 (id BIGINT, final BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO out4
SELECT won.category, AVG(won.final)
FROM (
  SELECT MAX(b.price) AS final, a.category
  FROM auction AS a, bid AS b
  WHERE a.id = b.auction AND b.`dateTime` BETWEEN a.`dateTime` AND a.expires
  GROUP BY a.id, a.category
) AS won
GROUP BY won.category;
